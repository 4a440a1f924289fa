package memory

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"nt/internal/resource"
	"nt/tracker"
)

// fileMagic begins a file of statements; the last byte is its version.
const fileMagic = "nt-statements\x02"

// A fileRecord is a statement with what the tracker knows about it. The file is the
// magic, the records, and the SHA-256 of both.
type fileRecord struct {
	Key         resource.Key
	Object      [32]byte
	From        uint64
	Observed    int64
	Logged      uint32
	Touched     uint32
	FirstOutage uint32
	Relayed     bool
	Size        uint16 // of raw, which follows
}

// WriteStatements writes all statements, one shard after the other: announcing goes
// on meanwhile. Holders are not written: they announce again.
func (s *Store) WriteStatements(w io.Writer) error {
	sum := sha256.New()
	buf := bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10)
	buf.WriteString(fileMagic)
	for _, sh := range s.shards {
		var out bytes.Buffer // not to write to a disk under the lock
		sh.mu.Lock()
		for row := range sh.swarms.next {
			sh.appendStatements(&out, row)
		}
		sh.mu.Unlock()
		buf.Write(out.Bytes())
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("writing statements: %w", err)
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

func (s *shard) appendStatements(out *bytes.Buffer, row uint32) {
	sw := s.swarms.at(row)
	for _, c := range sw.contents {
		for _, k := range c.kept {
			if len(k.raw) > 1<<16-1 {
				continue
			}
			r := fileRecord{sw.key, c.object, uint64(k.from), k.observed, k.logged, sw.touched, sw.firstOutage, k.relayed, uint16(len(k.raw))}
			binary.Write(out, binary.BigEndian, r) // a Buffer takes everything
			out.Write(k.raw)
		}
	}
}

// ReadStatements adds to an empty store what WriteStatements wrote, as far as there is room and as it is
// not too old. A file that is damaged is refused as a whole.
func (s *Store) ReadStatements(now time.Time, r io.ReadSeeker) (n int, err error) {
	size, err := checkFile(r)
	if err != nil {
		return 0, err
	}
	in := bufio.NewReader(io.LimitReader(r, size))
	for {
		var rec fileRecord
		if err := binary.Read(in, binary.BigEndian, &rec); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, fmt.Errorf("reading statements: %w", err)
		}
		raw := make([]byte, rec.Size)
		if _, err := io.ReadFull(in, raw); err != nil {
			return n, fmt.Errorf("reading statements: %w", err)
		}
		if s.shard(rec.Key).restore(now.Unix(), rec, raw) {
			n++
		}
	}
}

// checkFile reads the file once, compares magic and sum, and stands behind the
// magic then; size is that of the records.
func checkFile(r io.ReadSeeker) (size int64, err error) {
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	size = end - int64(len(fileMagic)) - sha256.Size
	if _, err = r.Seek(0, io.SeekStart); err != nil || size < 0 {
		return 0, errors.Join(err, errDamaged())
	}
	sum := sha256.New()
	magic := make([]byte, len(fileMagic))
	if err := readInto(r, magic, sum); err != nil || string(magic) != fileMagic {
		return 0, errors.Join(err, errDamaged())
	}
	if _, err := io.CopyN(sum, r, size); err != nil {
		return 0, err
	}
	want := make([]byte, sha256.Size)
	if _, err := io.ReadFull(r, want); err != nil || !bytes.Equal(want, sum.Sum(nil)) {
		return 0, errors.Join(err, errDamaged())
	}
	_, err = r.Seek(int64(len(fileMagic)), io.SeekStart)
	return size, err
}

func readInto(r io.Reader, b []byte, sum hash.Hash) error {
	_, err := io.ReadFull(r, b)
	sum.Write(b)
	return err
}

func errDamaged() error { return errors.New("the file of statements is damaged or of another version") }

// restore adds one statement as it was kept.
func (s *shard) restore(now int64, rec fileRecord, raw []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	st, whole := decodeStatement(rec.Key, rec.Object, raw)
	if !whole || int64(rec.Touched)+s.statementTTL <= now {
		return false
	}
	from := tracker.Group(rec.From)
	row, known := s.swarmOf[rec.Key]
	if !known {
		row = noRow
	}
	if !makeRoom(s, swarmCost+contentCost+keptCost+int64(len(raw)), from, row) {
		return false
	}
	if !known {
		row = s.addSwarm(now, rec.Key, from)
	}
	sw := s.swarms.at(row)
	sw.touched, sw.firstOutage = rec.Touched, rec.FirstOutage
	i := sw.find(contentSum(s.outages.seed, st))
	if i < 0 {
		if len(sw.contents) == maxContents {
			return false
		}
		sw.nextContent++
		sw.contents = append(sw.contents, content{object: rec.Object, sum: contentSum(s.outages.seed, st), id: sw.nextContent})
		s.charge(sw.owner, contentCost)
		i = len(sw.contents) - 1
	}
	s.addKept(&sw.contents[i], kept{from: from, relayed: rec.Relayed, observed: rec.Observed, logged: rec.Logged, raw: raw})
	return true
}

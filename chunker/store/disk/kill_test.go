package disk

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"nt/chunker"
	"nt/chunker/store"
	"nt/chunker/store/storetest"
	"nt/internal/testenv"
	"nt/transport"
)

// The tests of this file start this test binary again as another process that
// works on the same directory: childDir names it, childRounds says for how long.
const (
	childDir    = "NT_TEST_STORE_DIR"
	childRounds = "NT_TEST_STORE_ROUNDS" // 0 is until killed
)

func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	rounds, err := strconv.Atoi(os.Getenv(childRounds))
	if err == nil {
		err = child(dir, rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play is the objects that parent and children fill, read and evict, and a budget
// that holds about half of them.
type play struct {
	contents []storetest.Content
	budget   int64
}

func newPlay(t testing.TB) play {
	var p play
	for i := range 8 {
		p.contents = append(p.contents, storetest.Make(t, uint64(i), 20<<10+i*5003))
		p.budget += p.contents[i].Size / 2
	}
	return p
}

// makers is what storetest.Make needs of a test, in a child.
type makers struct{ testing.TB }

func (makers) Helper()        {}
func (makers) Fatal(v ...any) { panic(fmt.Sprint(v...)) }

// child says that it begins, then works until its rounds are over.
func child(dir string, rounds int) error {
	p := newPlay(makers{})
	s, err := Open(dir, store.Options{Budget: p.budget})
	if err != nil {
		return err
	}
	fmt.Println("begun")
	for i := 0; rounds == 0 || i < rounds; i++ {
		if err := p.round(s); err != nil {
			return err
		}
	}
	return s.Close()
}

// round fills or commits one object and reads another, as it comes.
func (p play) round(s *Store) error {
	c := p.contents[rand.IntN(len(p.contents))]
	var err error
	switch rand.IntN(4) {
	case 0:
		err = commitOne(s, c)
	case 1:
		err = fill(s, c, rand.IntN(c.NumChunks()))
	default:
		err = fill(s, c, c.NumChunks())
	}
	if err != nil && !errors.Is(err, store.ErrBudget) { // the others may hold everything
		return fmt.Errorf("filling %s: %w", c.ID, err)
	}
	return p.check(s)
}

// check reads all that is there of every object and compares it.
func (p play) check(s *Store) error {
	for _, c := range p.contents {
		obj, err := s.OpenObject(c.ID)
		if errors.Is(err, transport.ErrNotFound) {
			continue
		}
		if err == nil {
			err = errors.Join(compare(obj, c), obj.Close())
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", c.ID, err)
		}
	}
	return nil
}

func compare(o store.Object, c storetest.Content) error {
	have := o.Have()
	if o.Complete() != (have.Count() == c.NumChunks()) {
		return fmt.Errorf("%d of %d chunks, complete %v", have.Count(), c.NumChunks(), o.Complete())
	}
	for i := range c.NumChunks() {
		if !have.Contains(uint32(i)) {
			continue
		}
		if b, err := o.ReadChunk(i, nil); err != nil || !bytes.Equal(b, c.Chunk(i)) {
			return fmt.Errorf("chunk %d: %d bytes, %w", i, len(b), err)
		}
	}
	return nil
}

// startChild starts another process and waits until it has opened the store.
func startChild(t *testing.T, dir string, rounds int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childDir+"="+dir, childRounds+"="+strconv.Itoa(rounds))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "begun\n" {
		cmd.Process.Kill()
		t.Fatalf("the child said %q: %v", line, errors.Join(err, cmd.Wait()))
	}
	return cmd
}

func TestRow46_KilledWhileWriting(t *testing.T) {
	t.Parallel()
	dir, p := memoryDir(t), newPlay(t)
	objects := 0
	for range 60 {
		cmd := startChild(t, dir, 0)
		time.Sleep(time.Duration(rand.Int64N(int64(20 * time.Millisecond)))) // any moment is a good one
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() // its error is the kill
		s := openStore(t, dir, store.Options{Budget: p.budget})
		if err := p.check(s); err != nil {
			t.Fatal(err)
		}
		for range s.List() {
			objects++
		}
		if left, err := os.ReadDir(below{dir}.at(tmpName)); err != nil || len(left) > 0 {
			t.Fatalf("the dead process's %v is still in tmp: %v", left, err)
		}
		closeStore(t, s)
	}
	if objects < 60 {
		t.Errorf("only %d objects were there after 60 kills: too early to hit a write", objects)
	}
	s := openStore(t, dir, store.Options{Budget: p.budget})
	for _, c := range p.contents {
		storetest.Put(t, s, c)
		storetest.Check(t, s, c)
	}
}

func TestProcessesShareADirectory(t *testing.T) {
	dir, p := memoryDir(t), newPlay(t)
	s := openStore(t, dir, store.Options{Budget: p.budget})
	const rounds = 60
	children := []*exec.Cmd{startChild(t, dir, rounds), startChild(t, dir, rounds)}
	for range rounds {
		if err := p.round(s); err != nil {
			t.Error(err)
			break
		}
	}
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	for range s.List() { // scans
	}
	if used, budget := s.Usage(); used > budget+budget/8 {
		t.Errorf("three processes use %d bytes, budget %d", used, budget)
	}
}

func TestNoDescriptorsLeak(t *testing.T) {
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		testenv.SkipUnless(t, err == nil, fmt.Sprint("descriptors cannot be counted here: ", err))
		return len(names)
	}
	dir, p := memoryDir(t), newPlay(t)
	before := count()
	s, err := Open(dir, store.Options{Budget: p.budget})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := p.round(s); err != nil {
			t.Fatal(err)
		}
	}
	sp, err := s.Spool(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	r, err := sp.Follow(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	obj, err := s.Create(chunker.ObjectID{})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s) // what is open outlives it
	if _, err := sp.Write([]byte("late")); err != nil {
		t.Error(err)
	}
	if err := errors.Join(sp.Discard(nil), obj.Close()); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, store.ErrDiscarded) {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors were open before, %d after", before, after)
	}
}

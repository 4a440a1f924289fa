package testscripts

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

const statementsMagic = "nt-statements\x02"

// loggedStatement is the fixed part of a record in a tracker's file of statements.
type loggedStatement struct {
	Key, Object                  [32]byte
	From                         uint64
	Observed                     int64
	Logged, Touched, FirstOutage uint32
	Relayed                      bool
	Size                         uint16 // of what follows
}

// cmdBackdate lets time pass for a tracker that does not run: what its file of statements says
// happened, happened so much earlier. The statements themselves are signed and stay.
func cmdBackdate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: backdate FILE DURATION")
	}
	by, err := time.ParseDuration(args[1])
	ts.Check(err)
	seconds := uint32(by / time.Second)
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(b) < len(statementsMagic)+sha256.Size || string(b[:len(statementsMagic)]) != statementsMagic {
		ts.Fatalf("%s is no file of statements", args[0])
	}
	in := bytes.NewReader(b[len(statementsMagic) : len(b)-sha256.Size])
	out, n := bytes.NewBufferString(statementsMagic), 0
	for ; in.Len() > 0; n++ {
		var r loggedStatement
		ts.Check(binary.Read(in, binary.BigEndian, &r))
		r.Logged, r.Touched = r.Logged-seconds, r.Touched-seconds
		if r.FirstOutage != 0 {
			r.FirstOutage -= seconds
		}
		ts.Check(binary.Write(out, binary.BigEndian, r))
		_, err := io.CopyN(out, in, int64(r.Size))
		ts.Check(err)
	}
	if n == 0 {
		ts.Fatalf("%s has no statements", args[0])
	}
	sum := sha256.Sum256(out.Bytes())
	out.Write(sum[:])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), out.Bytes(), 0o600))
}

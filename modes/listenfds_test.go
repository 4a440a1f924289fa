//go:build unix

package modes

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestSocketsOfSystemd starts the binary of this test as systemd would: with both
// sockets open as 3 and 4, and the process's own number in the environment.
func TestSocketsOfSystemd(t *testing.T) {
	if os.Getenv("NT_TEST_AS_TRACKER") != "" {
		env := os.Environ()
		os.Setenv("LISTEN_PID", "") // not inherited by anybody else
		os.Exit(Main([]string{"tracker", "--allow-private", "--no-notary"}, nil, os.Stdout, os.Stderr, env))
	}
	l, c, err := listenBoth("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer c.Close()
	tcp, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	udp, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	// The shell becomes the process, so that $$ is its number.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run '^TestSocketsOfSystemd$'`, os.Args[0])
	cmd.Env = append(os.Environ(), "NT_TEST_AS_TRACKER=1", "LISTEN_FDS=2", "XDG_STATE_HOME="+t.TempDir())
	cmd.ExtraFiles = []*os.File{udp, tcp}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	line, _ := bufio.NewReader(stderr).ReadString('\n')
	if !strings.Contains(line, "listening on "+l.Addr().String()) {
		t.Fatalf("it says %q", line)
	}
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	peer, err := net.Dial("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	peer.SetDeadline(time.Now().Add(10 * time.Second))
	peer.Write([]byte("\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00tran"))
	buf := make([]byte, 64)
	if n, err := peer.Read(buf); n != 16 {
		t.Errorf("UDP: %d bytes, %v", n, err)
	}
}

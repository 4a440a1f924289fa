package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// connections is how many wrk holds open.
const connections = 64

// sample is one round of one server.
type sample struct{ perSecond, perCPU float64 }

func (s *server) request(origin, path string) string {
	target := path
	if s.forward {
		target = "http://" + origin + path
	}
	return "GET " + target + " HTTP/1.1\r\nHost: " + origin + "\r\n\r\n"
}

var requestsLine = regexp.MustCompile(`(\d+) requests in ([\d.]+)(m?s)`)

// load lets wrk ask for one file for a round.
func load(dir string, s *server, origin, path string) (sample, error) {
	if err := warm(s, origin, path); err != nil {
		return sample{}, err
	}
	script := filepath.Join(dir, "request.lua")
	lua := fmt.Sprintf("local r = %q\nrequest = function() return r end\n", s.request(origin, path))
	// Go and Lua quote these characters alike but for the line ends' escapes, which Lua knows, too.
	if err := os.WriteFile(script, []byte(lua), 0o644); err != nil {
		return sample{}, err
	}
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	out, err := exec.Command("taskset", "-c", "1", "wrk", "-t1", "-c", strconv.Itoa(connections), "-d", fmt.Sprintf("%ds", *seconds), "-s", script, "http://"+s.addr+"/").CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	after, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	m := requestsLine.FindSubmatch(out)
	if m == nil || regexp.MustCompile(`Non-2xx|Socket errors`).Match(out) {
		return sample{}, fmt.Errorf("wrk says: %s", out)
	}
	n, _ := strconv.ParseFloat(string(m[1]), 64)
	took, _ := strconv.ParseFloat(string(m[2]), 64)
	return sample{perSecond: n / took, perCPU: n / (after - before)}, nil
}

// warm asks until the server has stored the file, and checks its length.
func warm(s *server, origin, path string) error {
	for range 20 {
		c, err := dialWay(s, origin)
		if err != nil {
			return err
		}
		err = c.ask(path)
		c.Close()
		if err != nil {
			return err
		}
		time.Sleep(25 * time.Millisecond)
	}
	return nil
}

// way is one kept connection.
type way struct {
	net.Conn
	s      *server
	origin string
	br     *bufio.Reader
}

// dialWay connects to the server, or to the origin itself with a nil one.
func dialWay(s *server, origin string) (*way, error) {
	addr := origin
	if s != nil {
		addr = s.addr
	} else {
		s = &server{}
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &way{c, s, origin, bufio.NewReader(c)}, nil
}

func (w *way) ask(path string) error {
	if _, err := io.WriteString(w, w.s.request(w.origin, path)); err != nil {
		return err
	}
	res, err := http.ReadResponse(w.br, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil || res.StatusCode != 200 || n != res.ContentLength {
		return fmt.Errorf("%s: %d, %d bytes, %v", path, res.StatusCode, n, err)
	}
	return nil
}

// latencies asks for what may not be stored, request by request over every way in turn,
// and returns the medians.
func latencies(servers []*server, origin string, n int) (map[string]time.Duration, error) {
	names, ways := []string{"direct"}, []*way{}
	w, err := dialWay(nil, origin)
	if err != nil {
		return nil, err
	}
	ways = append(ways, w)
	for _, s := range servers {
		if w, err = dialWay(s, origin); err != nil {
			return nil, err
		}
		names, ways = append(names, s.name), append(ways, w)
	}
	took := make([][]time.Duration, len(ways))
	for range n {
		for i, w := range ways {
			start := time.Now()
			if err := w.ask("/1024/no-store"); err != nil {
				return nil, fmt.Errorf("%s: %w", names[i], err)
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	out := map[string]time.Duration{}
	for i, name := range names {
		slices.Sort(took[i])
		out[name] = took[i][len(took[i])/2]
		ways[i].Close()
	}
	return out, nil
}

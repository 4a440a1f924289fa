package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"nt/internal/resource"
)

// downloads are readers of a page whose origin is dead, one after another.
type downloads struct {
	page []byte
	rate int           // bytes a second
	stop chan struct{} // closed by enough: none begins any more
	work sync.WaitGroup

	enough func()

	mu       sync.Mutex
	deaths   int // of the tracker, so far
	finished int
	through  int // of them with a death in between
	idle     int // could not begin: the tracker was down when they asked it who has the page
	failed   []string
}

// downloads starts an origin, two peers that read its page, ends the origin and lets readers begin.
func (l *lab) downloads(tracker string, p killsPlan) (*downloads, error) {
	d := &downloads{page: make([]byte, p.size), rate: p.rate, stop: make(chan struct{})}
	d.enough = sync.OnceFunc(func() { close(d.stop) })
	if p.downloads == 0 {
		return d, nil
	}
	rand.NewChaCha8([32]byte{1}).Read(d.page)
	origin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(d.page) })}
	go server.Serve(origin) // ends with Close
	defer server.Close()
	u, err := resource.ParseURL("http://" + origin.Addr().String() + "/page.bin")
	if err != nil {
		return nil, err
	}
	for i := range 2 {
		home := fmt.Sprint("peer", i)
		peer, err := l.listening("proxy", l.command(home, nil, "nt", "peer", "--allow-private", "--cache", l.dir+"/"+home, "--listen", "127.0.0.1:0", "--proxy",
			"--proxy-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--tracker", tracker))
		if err != nil {
			return nil, err
		}
		if err := d.readThrough(peer.addr, u.String()); err != nil {
			return nil, err
		}
	}
	for i := range p.downloads {
		d.work.Go(func() { d.readers(l, i, tracker, u) })
	}
	return d, nil
}

// readThrough reads the page through a peer's proxy.
func (d *downloads) readThrough(proxy, page string) error {
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy})}}
	defer c.CloseIdleConnections()
	resp, err := c.Get(page)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && !bytes.Equal(b, d.page) {
		err = errors.New("the proxy gives another page")
	}
	return err
}

// readers fetches the page again and again, each time with an empty cache. A fetch
// begins when the tracker names a peer, for this is about running downloads.
func (d *downloads) readers(l *lab, i int, tracker string, u resource.URL) {
	a := newAnnouncer(1<<51+uint64(i), crowdSource(i))
	for n := 0; ; n++ {
		for known := false; !known; {
			select {
			case <-d.stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
			r, err := a.holdersOf(tracker, u.Key())
			known = err == nil && len(r.Peers) > 0
		}
		d.read(l, fmt.Sprintf("reader%d-%d", i, n), tracker, u.String())
	}
}

func (d *downloads) read(l *lab, home, tracker, page string) {
	d.mu.Lock()
	deaths := d.deaths
	d.mu.Unlock()
	file := l.dir + "/" + home + ".page"
	cmd := l.command(home, nil, "nt", "fetch", "--allow-private", "-q", "--trust", "any", "--cache", l.dir+"/"+home, "--tracker", tracker, "--limit-rate", strconv.Itoa(d.rate),
		"-o", file, page)
	said, err := cmd.CombinedOutput()
	got, _ := os.ReadFile(file)
	os.Remove(file)
	os.RemoveAll(l.dir + "/" + home)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err != nil && bytes.Contains(said, []byte("looking up holders: asking tracker")):
		d.idle++
	case err != nil:
		d.failed = append(d.failed, fmt.Sprintf("%v: %s", err, said))
	case !bytes.Equal(got, d.page):
		d.failed = append(d.failed, "other bytes")
	default:
		d.finished++
		if d.deaths > deaths {
			d.through++
		}
	}
}

// died notes that the tracker was killed. After the last time no download begins: it would have no
// death in between.
func (d *downloads) died(last bool) {
	d.mu.Lock()
	d.deaths++
	d.mu.Unlock()
	if last {
		d.enough()
	}
}

// end lets the running downloads finish.
func (d *downloads) end() (finished, through, idle int, failed []string) {
	d.enough()
	d.work.Wait()
	return d.finished, d.through, d.idle, d.failed
}

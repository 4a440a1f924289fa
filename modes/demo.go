package modes

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nt/internal/resource"
	"nt/peer"
	"nt/tracker/client"
)

// demoCmd is the NoTorrent demonstration (N17): the origin dies, earlier readers
// serve a later one.
type demoCmd struct {
	Transport string `placeholder:"NAME" help:"Transport to prefer."`
	Keep      bool   `help:"Keep the folder with the caches and say where it is."`
}

// demoWait bounds each step that waits for another machine of the demo.
const demoWait = 30 * time.Second

// Run tells the story and fails unless every byte matches.
func (c *demoCmd) Run(a *app) error {
	dir, err := os.MkdirTemp("", "nt-demo-")
	if err != nil {
		return fileFault("making a folder for the demo", err)
	}
	if c.Keep {
		defer func() { a.println("the caches are in " + dir) }()
	} else {
		defer os.RemoveAll(dir)
	}
	d := &demo{app: a, dir: dir, transport: c.Transport, started: time.Now()}
	defer d.close(context.WithoutCancel(a.ctx))
	if err := d.tell(a.ctx); err != nil {
		return fmt.Errorf("the demo went wrong: %w", err)
	}
	return nil
}

// demo is the cast: one site, one tracker, three readers.
type demo struct {
	*app
	dir       string
	transport string
	started   time.Time
	site      *demoSite
	tracker   *runningTracker
	readers   map[string]*peerNode
	rows      []demoRow
}

// demoRow is one line of the table at the end.
type demoRow struct {
	who, what, from, trust string
	bytes                  int
	took                   time.Duration
}

func (d *demo) tell(ctx context.Context) error {
	for _, step := range []struct {
		text string
		do   func(context.Context) error
	}{
		{"a site, a tracker and two readers start", d.start},
		{"Ada and Ben read the site through their proxies", d.read},
		{"the tracker, as notary, looks at what they announced", d.notarised},
		{"the site dies", d.kill},
		{"Cleo, who never saw the site, fetches it; Ada reloads", d.outlive},
	} {
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.text, err)
		}
		if err := d.println(fmt.Sprintf("%7s  %s", round(time.Since(began)), step.text)); err != nil {
			return err
		}
	}
	return d.printTable()
}

// start brings everybody up on free ports of this machine.
func (d *demo) start(ctx context.Context) error {
	var err error
	if d.site, err = startDemoSite(); err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	d.tracker, err = startTracker(trackerOptions{listen: "127.0.0.1:0", key: key, notary: key, allowPrivate: true, log: d.log})
	if err != nil {
		return err
	}
	d.readers = map[string]*peerNode{}
	for _, name := range []string{"Ada", "Ben", "Cleo"} {
		if d.readers[name], err = d.reader(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// reader is one machine: own key, own cache, own proxy.
func (d *demo) reader(ctx context.Context, name string) (*peerNode, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	return startPeer(ctx, peerOptions{proxyAddr: "127.0.0.1:0", adminAddr: "127.0.0.1:0", node: nodeOptions{
		key: key, cacheDir: filepath.Join(d.dir, name), trackers: []string{d.tracker.addr}, listen: "127.0.0.1:0",
		transport: d.transport, allowPrivate: true, share: true, config: &d.config, log: d.log,
	}})
}

func newKey() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// read fetches the whole site through two proxies, as browsers do.
func (d *demo) read(ctx context.Context) error {
	for _, name := range []string{"Ada", "Ben"} {
		for _, page := range d.site.pages {
			if err := d.browse(ctx, name, page); err != nil {
				return err
			}
		}
	}
	return d.browseRedirect(ctx, "Ada")
}

// browser is an HTTP client behind a reader's proxy that follows no redirect.
func (d *demo) browser(name string) *http.Client {
	proxy := &url.URL{Scheme: "http", Host: d.readers[name].proxyAddr}
	return &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyURL(proxy), DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       demoWait,
	}
}

// browse gets one page through a proxy, compares it and notes who served it.
func (d *demo) browse(ctx context.Context, name string, p demoPage) error {
	began := time.Now()
	resp, body, err := d.get(ctx, name, p.path)
	if err != nil {
		return err
	}
	if err := p.check(resp.StatusCode, resp.Header, body); err != nil {
		return fmt.Errorf("%s through %s's proxy: %w", p.path, name, err)
	}
	from := resp.Header.Get(peer.FieldSource)
	if from == "" {
		from = "the site"
	}
	d.rows = append(d.rows, demoRow{name, p.path, from, resp.Header.Get(peer.FieldTrust), len(body), time.Since(began)})
	return nil
}

func (d *demo) get(ctx context.Context, name, path string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.site.url(path), nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := d.browser(name).Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// browseRedirect shows that a redirect reaches the browser as it is (N20).
func (d *demo) browseRedirect(ctx context.Context, name string) error {
	resp, _, err := d.get(ctx, name, demoRedirect)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/" {
		return fmt.Errorf("the redirect of %s arrives as %d to %q", demoRedirect, resp.StatusCode, resp.Header.Get("Location"))
	}
	d.rows = append(d.rows, demoRow{who: name, what: demoRedirect, from: "the site (302 to /)"})
	return nil
}

// notarised waits until the tracker holds its own statement about each page.
func (d *demo) notarised(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	c, err := d.askTracker()
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		missing := 0
		for _, p := range d.site.pages {
			seen, err := d.seen(ctx, c, p)
			if err != nil {
				return err
			}
			if !seen {
				missing++
			}
		}
		if missing == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the notary did not see %d of %d pages", missing, len(d.site.pages))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (d *demo) askTracker() (*client.Client, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{Addr: d.tracker.addr, Key: key, Timeout: demoWait})
}

// seen reports whether the tracker's own key has signed for a page and both readers hold it.
func (d *demo) seen(ctx context.Context, c *client.Client, p demoPage) (bool, error) {
	u, err := resource.ParseURL(d.site.url(p.path))
	if err != nil {
		return false, err
	}
	key, err := c.Notary(ctx)
	if err != nil || key == nil {
		return false, errors.Join(errors.New("the tracker is no notary"), err)
	}
	results, err := c.Lookup(ctx, []resource.Key{u.Key()}, 10)
	if err != nil || len(results) != 1 {
		return false, err
	}
	signed := false
	for _, s := range results[0].Statements {
		signed = signed || s.Statement.Witness == *key
	}
	return signed && len(results[0].Peers) >= 2, nil
}

// kill ends the site the hard way: nobody listens there any more.
func (d *demo) kill(ctx context.Context) error {
	d.site.close()
	conn, err := (&net.Dialer{Timeout: demoWait}).DialContext(ctx, "tcp", d.site.addr)
	if err == nil {
		conn.Close()
		return errors.New("it still answers")
	}
	return nil
}

// outlive fetches everything at a reader that never saw the site, as nt fetch
// does, and from the own cache of one that did.
func (d *demo) outlive(ctx context.Context) error {
	for _, p := range d.site.pages {
		if err := d.fetch(ctx, "Cleo", p); err != nil {
			return err
		}
	}
	return d.browse(ctx, "Ada", d.site.pages[0])
}

// fetch gets one page from peers and notes which of them sent how much.
func (d *demo) fetch(ctx context.Context, name string, p demoPage) error {
	ctx, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.site.url(p.path), nil)
	if err != nil {
		return err
	}
	resp, err := d.readers[name].node.Do(ctx, peer.Request{HTTP: req})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if err := p.check(resp.Status, resp.Header, body); err != nil {
		return fmt.Errorf("%s at %s: %w", p.path, name, err)
	}
	took := time.Since(began)
	if err := d.readers[name].node.Settle(ctx); err != nil { // the last peer is counted when the fetch has ended
		return err
	}
	from := d.servers(resp.Provenance.Live.Snapshot().BytesByPeer)
	if from == "" {
		return fmt.Errorf("%s at %s came from %s, not from peers", p.path, name, resp.Provenance.Source)
	}
	d.rows = append(d.rows, demoRow{name, p.path, from, resp.Provenance.Level.String(), len(body), took})
	return nil
}

// servers names who sent something, with the bytes if it was more than one.
func (d *demo) servers(byPeer map[string]int64) string {
	var out []string
	for label, n := range byPeer {
		who := label
		for name, r := range d.readers {
			if strings.HasSuffix(label, "@"+r.node.addr) {
				who = name
			}
		}
		if len(byPeer) > 1 {
			who += fmt.Sprintf(" (%d)", n)
		}
		out = append(out, who)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// printTable shows who served what, and that all of it was right.
func (d *demo) printTable() error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\n%-6s %-14s %8s  %-28s %-12s %8s\n", "reader", "page", "bytes", "served by", "trust", "took")
	total := 0
	for _, r := range d.rows {
		fmt.Fprintf(&b, "%-6s %-14s %8d  %-28s %-12s %8s\n", r.who, r.what, r.bytes, r.from, r.trust, round(r.took))
		total += r.bytes
	}
	fmt.Fprintf(&b, "\nEvery one of %d bytes is right. Done in %s.", total, round(time.Since(d.started)))
	return d.println(b.String())
}

// round shortens a duration for people.
func round(t time.Duration) string {
	switch {
	case t == 0:
		return ""
	case t > 10*time.Millisecond:
		return t.Round(time.Millisecond).String()
	}
	return t.Round(10 * time.Microsecond).String()
}

func (d *demo) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	for _, r := range d.readers {
		if r != nil {
			r.close(ctx)
		}
	}
	if d.tracker != nil {
		d.tracker.close(ctx)
	}
	if d.site != nil {
		d.site.close()
	}
}

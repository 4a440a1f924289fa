package modes

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"nt/internal/resource"
	"nt/peer"
	"nt/peer/admin"
	"nt/peer/intercept"
	"nt/peer/proxy"
)

// peerCmd is a node: proxy for browsers, cache, and server for other peers.
type peerCmd struct {
	Proxy      bool       `help:"Serve browsers as their HTTP proxy."`
	ProxyAddr  string     `default:"127.0.0.1:3128" placeholder:"ADDR" help:"Address of the proxy."`
	AdminAddr  string     `placeholder:"ADDR" help:"Address of the status page. Default: 127.0.0.1:3129, or a free port if that is taken."`
	ProxyAuth  string     `placeholder:"USER:PASS" help:"Ask readers for this name and password. Better in the environment (NT_PROXY_AUTH) or the configuration file."`
	ProxyAllow []string   `placeholder:"CIDR" help:"Network that may use the proxy, besides this machine; repeatable."`
	Intercept  bool       `help:"Read HTTPS, too, with the authority that 'nt ca install' made. Pages then outlive their sites; see docs/proxy.md for the risks."`
	TunnelPort []uint16   `placeholder:"PORT" help:"Port that tunnels (CONNECT) may reach, besides 443; repeatable."`
	CacheSize  size       `default:"1G" placeholder:"SIZE" help:"How much the cache may hold."`
	ServeFresh bool       `help:"Answer from the cache, without asking the site, while HTTP's rules call the copy fresh. Faster; the site then does not see every reader."`
	HotSize    size       `default:"64M" placeholder:"SIZE" help:"How much of fresh copies may be kept in memory, with --serve-fresh."`
	Uplink     size       `placeholder:"RATE" help:"Send to peers at most RATE bytes a second. Default: what the line is measured to bear."`
	NoShare    bool       `help:"Read from peers and announce nothing."`
	Deny       []string   `placeholder:"HOST" help:"Never share what is on HOST or below it; repeatable."`
	Only       []string   `placeholder:"HOST" help:"Share only what is on HOST or below it; repeatable."`
	Reach      reachFlags `embed:""`
}

// Run serves until a signal.
func (c *peerCmd) Run(a *app) error {
	cache, err := a.cachePath()
	if err != nil {
		return err
	}
	key, err := a.env.nodeIdentity(cache)
	if err != nil {
		return err
	}
	o := peerOptions{adminAddr: c.AdminAddr}
	if o.node, err = a.nodeOptions(c.Reach, key, cache, a.listenOr(":0")); err != nil {
		return err
	}
	o.node.uplink = int64(c.Uplink)
	o.node.cacheSize, o.node.share = int64(c.CacheSize), !c.NoShare
	o.node.deny, o.node.only = c.Deny, c.Only
	if o.node.serveFresh = c.ServeFresh; c.ServeFresh {
		o.hot = int64(c.HotSize)
	}
	if c.Proxy {
		o.proxyAddr, o.proxyAuth = c.ProxyAddr, c.ProxyAuth
		o.tunnelPorts = append([]uint16{443}, c.TunnelPort...)
		if o.proxyAllow, err = c.allowed(); err != nil {
			return err
		}
	}
	if c.Intercept {
		if o.authority, o.authorityDir, err = a.env.authority(); err != nil {
			return err
		}
		if !c.Proxy {
			return usagef("add --proxy", "--intercept needs the proxy")
		}
	}
	p, err := startPeer(a.ctx, o)
	if err != nil {
		return err
	}
	if held, err := a.env.publish(running{PID: os.Getpid(), Cache: cache, Peer: p.node.addr, Admin: p.adminAddr, Proxy: p.proxyAddr, Token: p.token}); err != nil {
		a.log.Info("other commands will not find this peer", "err", err)
	} else {
		defer held.Close()
	}
	a.listening("peer", p.node.addr)
	if p.proxyAddr != "" {
		a.listening("proxy", p.proxyAddr)
	}
	a.listening("admin", p.adminAddr)
	return a.untilSignal(p.close)
}

// allowed reads the proxy's rules about who may use it.
func (c *peerCmd) allowed() ([]netip.Prefix, error) {
	if c.ProxyAuth != "" {
		if user, password, ok := strings.Cut(c.ProxyAuth, ":"); !ok || user == "" || password == "" {
			return nil, usagef("write USER:PASS", "--proxy-auth has no name or no password")
		}
	}
	var out []netip.Prefix
	for _, text := range c.ProxyAllow {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, usagef("write a network like 192.168.1.0/24", "--proxy-allow %q is not a network", text)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// peerOptions are what a peer is made of.
type peerOptions struct {
	node      nodeOptions
	proxyAddr string // HOST:PORT; "" is no proxy
	// proxyAuth and proxyAllow say who may use it, see proxy.Config.
	proxyAuth  string
	proxyAllow []netip.Prefix
	// authority reads tunnels, its directory remembers which not; nil reads none.
	authority    *intercept.Authority
	authorityDir string
	tunnelPorts  []uint16 // nil is 443 only
	hot          int64    // bytes of fresh copies in memory
	adminAddr    string   // HOST:PORT; "" is defaultAdmin or a free port
}

// defaultAdmin is where the status page is unless the user says otherwise.
const defaultAdmin = "127.0.0.1:3129"

// peerNode is a peer that answers peers and readers.
type peerNode struct {
	node      *node
	proxy     *proxy.Server // nil without one
	proxyAddr string
	admin     *admin.Server
	adminAddr string
	token     string // for what changes something
	started   time.Time
	sums      *sums
}

// startPeer returns a peer that answers on all its addresses. Close it with close.
func startPeer(ctx context.Context, o peerOptions) (*peerNode, error) {
	n, err := openNode(ctx, o.node)
	if err != nil {
		return nil, err
	}
	p := &peerNode{node: n, started: time.Now(), sums: newSums(), token: rand.Text()}
	err = p.startAdmin(o.adminAddr)
	if err == nil && o.proxyAddr != "" {
		err = p.startProxy(o)
	}
	if err != nil {
		p.close(ctx)
		return nil, err
	}
	return p, nil
}

func (p *peerNode) startProxy(o peerOptions) error {
	addr := o.proxyAddr
	conf := proxy.Config{
		Resolver: proxy.FromNode(counted{p.node.Node, p.sums}, peer.Request{}), Dial: p.node.dialer.DialContext, Forbidden: isForbidden, Addr: addr, Auth: o.proxyAuth, Allow: o.proxyAllow,
		ConnectPorts: o.tunnelPorts, Hot: o.hot, Admin: "http://" + p.adminAddr + "/", Log: p.node.log,
	}
	if o.authority != nil {
		conf.Intercept = p.node.interceptor(o.authority, o.authorityDir)
	}
	server, err := proxy.New(conf)
	if err != nil {
		return usagef("listen on 127.0.0.1, or say who may use it: --proxy-allow CIDR or --proxy-auth USER:PASS", "--proxy-addr: %w", err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return listenFault("the proxy", err)
	}
	p.proxy, p.proxyAddr = server, l.Addr().String()
	go server.Serve(l) // ends with Shutdown
	return nil
}

func (p *peerNode) startAdmin(addr string) error {
	server, err := admin.New(admin.Config{Source: p, View: p.node, Token: p.token, Actions: map[string]admin.Action{"forget": p.forget}})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", cmp.Or(addr, defaultAdmin))
	if err != nil && addr == "" {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return listenFault("the admin page", err)
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		l.Close()
		return usagef("the admin page is for this machine: listen on 127.0.0.1", "--admin-addr %s can be reached by others", addr)
	}
	p.admin, p.adminAddr = server, l.Addr().String()
	go server.Serve(l) // ends with Shutdown
	return nil
}

// forget is the action behind nt forget.
func (p *peerNode) forget(_ context.Context, query url.Values) error {
	u, err := resource.ParseURL(query.Get("url"))
	if err != nil {
		return err
	}
	_, err = p.node.Forget(u)
	if p.proxy != nil {
		p.proxy.Cool()
	}
	return err
}

// Status implements admin.Source.
func (p *peerNode) Status(context.Context) (admin.Status, error) {
	s := admin.Status{Version: thisBuild().Version, Started: p.started, BytesBySource: p.sums.snapshot()}
	if p.proxy != nil && p.proxy.HotBytes() > 0 {
		s.BytesBySource[string(peer.SourceCache)] += p.proxy.HotBytes()
	}
	s.Cache.Bytes, s.Cache.Limit = p.node.store.Usage()
	for range p.node.store.List() {
		s.Cache.Objects++
	}
	for _, t := range p.node.transports {
		s.Transports = append(s.Transports, t.Name())
	}
	for _, x := range p.node.Neighbours() {
		s.Neighbours = append(s.Neighbours, admin.Neighbour{ID: x.Peer.ID.String(), Addr: x.Peer.Addr.String(), Transport: x.Transport, ReceivedBytes: x.Received})
	}
	return s, nil
}

// listenFault is the error of an address that cannot be listened on.
func listenFault(who string, err error) error {
	hint := ""
	if errors.Is(err, syscall.EADDRINUSE) {
		hint = "another program listens there; choose another port, or 0 for any"
	}
	return &fault{ExitNetwork, fmt.Errorf("%s cannot listen: %w", who, err), hint}
}

// close drains: readers first, because they need the node.
func (p *peerNode) close(ctx context.Context) error {
	var errs []error
	if p.proxy != nil {
		errs = append(errs, p.proxy.Shutdown(ctx))
	}
	if p.admin != nil {
		errs = append(errs, p.admin.Shutdown(ctx))
	}
	return errors.Join(append(errs, p.node.close(ctx))...)
}

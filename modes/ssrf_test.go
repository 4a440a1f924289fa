package modes

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"nt/internal/safedial"
)

func TestRow24_NoWayLeadsToAPrivateAddress(t *testing.T) {
	c, dns := newCanary(t), &fakeDNS{}
	var passed sync.Map
	dialer := safedial.Dialer{Resolver: dns.resolver(), Also: func(_, address string) error {
		passed.Store(address, true)
		return errNotThere
	}}
	p := startSSRF(t, dialer, false, c.port)
	tried := eachHost(t, func(ctx context.Context, host string, flips bool) {
		url := "http://" + host + ":" + c.port + "/"
		if exit, out := fetchExit(ctx, p.node, url); out != "" || !refusedExit(exit) {
			t.Errorf("fetch %s: exit %d, %q", url, exit, out)
		}
	})
	tried += eachHost(t, func(ctx context.Context, host string, flips bool) {
		url := "http://" + host + ":" + c.port + "/"
		if exit, out := fetchExit(ctx, redirector{p.node}, "http://start.example.com/?to="+url); out != "" || !refusedExit(exit) {
			t.Errorf("redirect to %s: exit %d, %q", url, exit, out)
		}
	})
	tried += eachHost(t, func(ctx context.Context, host string, flips bool) {
		for method, fields := range map[string]string{"GET": "Connection: close", "POST": "Content-Length: 0\r\nConnection: close", // through the node, and past it
			"GET ": "Upgrade: websocket\r\nConnection: Upgrade"} {
			status, body := proxyAsk(ctx, p.proxyAddr, fmt.Sprintf("%s http://%s:%s/ HTTP/1.1\r\nHost: %s:%s\r\n%s\r\n\r\n", strings.TrimSpace(method), host, c.port, host, c.port, fields))
			if refused := status == 400 || status == 403 || status == 502; !refused && !flips || strings.Contains(body, "secret") {
				t.Errorf("proxy %s %s: %d %q", method, host, status, body)
			}
		}
	})
	tried += eachHost(t, func(ctx context.Context, host string, flips bool) {
		for _, port := range []string{"443", c.port} {
			status, body := proxyAsk(ctx, p.proxyAddr, fmt.Sprintf("CONNECT %s:%s HTTP/1.1\r\nHost: %s:%s\r\n\r\n", host, port, host, port))
			if refused := status == 400 || status == 403 || status == 502; !refused && !flips || status == 200 {
				t.Errorf("CONNECT %s:%s: %d %q", host, port, status, body)
			}
		}
	})
	tried += eachHost(t, func(ctx context.Context, host string, flips bool) {
		request := fmt.Sprintf("GET /view/http://%s:%s/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host, c.port, p.adminAddr)
		if status, body := proxyAsk(ctx, p.adminAddr, request); status != 400 && status != 404 || strings.Contains(body, "secret") {
			t.Errorf("viewer %s: %d %q", host, status, body)
		}
	})
	tried += peerListLeadsNowhere(t, p, c)
	tried += gossipLeadsNowhere(t, p, c)
	tried += notaryLooksNowhere(t, dialer, c)
	flipped := 0
	passed.Range(func(address, _ any) bool {
		flipped++
		if !strings.HasPrefix(address.(string), publicAddress+":") {
			t.Errorf("the rule let %s pass", address)
		}
		return true
	})
	if flipped == 0 {
		t.Error("no name ever changed its answer")
	}
	if n := c.reached.Load(); n != 0 {
		t.Errorf("the own machine was reached %d times", n)
	}
	if dns.asked.Load() < 500 {
		t.Errorf("names were looked up %d times: the resolver is not in use", dns.asked.Load())
	}
	t.Logf("%d cases, %d look-ups, %d reached", tried, dns.asked.Load(), c.reached.Load())
}

// TestRow24_TheCanaryCanSing: with the rule lifted every way leads there, so the test
// above can fail.
func TestRow24_TheCanaryCanSing(t *testing.T) {
	c, dns := newCanary(t), &fakeDNS{}
	p := startSSRF(t, safedial.Dialer{Resolver: dns.resolver()}, true, c.port)
	loopback := 5 // in special
	if special()[loopback] != "127.0.0.1" {
		t.Fatal("the table has changed")
	}
	name := fmt.Sprintf("s%d.fixed.example.com:%s", loopback, c.port)
	if exit, out := fetchExit(t.Context(), p.node, "http://"+name+"/"); exit != ExitOK || out != "secret" {
		t.Errorf("fetch: exit %d, %q", exit, out)
	}
	if exit, out := fetchExit(t.Context(), redirector{p.node}, "http://start.example.com/?to=http://"+name+"/"); exit != ExitOK || out != "secret" {
		t.Errorf("redirect: exit %d, %q", exit, out)
	}
	if status, body := proxyAsk(t.Context(), p.proxyAddr, "GET http://"+name+"/ HTTP/1.1\r\nHost: "+name+"\r\nConnection: close\r\n\r\n"); status != 200 || body != "secret" {
		t.Errorf("proxy: %d %q", status, body)
	}
	if status, _ := proxyAsk(t.Context(), p.proxyAddr, "CONNECT "+name+" HTTP/1.1\r\nHost: "+name+"\r\n\r\n"); status != 200 {
		t.Errorf("CONNECT: %d", status)
	}
	if status, body := proxyAsk(t.Context(), p.proxyAddr, "GET http://"+name+"/ HTTP/1.1\r\nHost: "+name+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"); status != 200 || body != "secret" {
		t.Errorf("upgrade: %d %q", status, body)
	}
	if n := c.reached.Load(); n < 3 {
		t.Errorf("the canary heard %d connections", n)
	}
}

package modes

import (
	"errors"
	"fmt"
	"net/http"

	"nt/peer"
)

// placeOf says where in the content the response starts, or that it has nothing
// to add (more is false).
func (t *transfer) placeOf(resp *peer.Response, at int64) (start int64, more bool, err error) {
	switch {
	case resp.Status == http.StatusPartialContent && at > 0:
		r, err := parseContentRange(resp.Header.Get("Content-Range"))
		if err != nil || r.first != at {
			return 0, false, &fault{ExitProtocol, fmt.Errorf("%s: asked to go on at %d, the answer is %q", t.raw, at, resp.Header.Get("Content-Range")), ""}
		}
		return at, true, nil
	case resp.Status == http.StatusRequestedRangeNotSatisfiable && at > 0:
		r, err := parseContentRange(resp.Header.Get("Content-Range"))
		if err != nil || r.size != at {
			return 0, false, &fault{ExitServer, fmt.Errorf("%s: there are %d bytes here, which is not where the content can go on (%s)", t.raw, at, resp.Header.Get("Content-Range")), "fetch it without -C"}
		}
		return 0, false, t.begin(at, "")
	case resp.Status == http.StatusNotModified:
		return 0, false, errNothing
	case resp.Status >= 300 && errors.Is(resp.Provenance.CopyError, peer.ErrUntrusted):
		return 0, false, t.explain(resp.Provenance.CopyError) // a copy could have stood in
	case resp.Status >= 300:
		return 0, false, statusFault(t.raw, resp.Status)
	}
	return 0, true, nil
}

// errNothing ends a transfer well without anything to put in place: a 304 to the
// user's own condition.
var errNothing = errors.New("not modified")

// statusFault is the error for an answer that is not the content.
func statusFault(raw string, status int) error {
	text := fmt.Errorf("%s: the server answers %d %s", raw, status, http.StatusText(status))
	switch {
	case status == http.StatusUnauthorized, status == http.StatusProxyAuthRequired:
		return &fault{ExitAuth, text, "send credentials with -H 'Authorization: ...'"}
	case status < 400:
		return &fault{ExitProtocol, text, ""}
	}
	return &fault{ExitServer, text, ""}
}

package publisher

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"nt/internal/resource"
)

// ErrBad is wrapped by every reason why a document is not one.
var ErrBad = errors.New("bad publisher document")

func badf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrBad, fmt.Errorf(format, args...))
}

// decode reads one JSON value of at most limit bytes, without unknown fields.
func decode(b []byte, limit int, v any) error {
	if len(b) > limit {
		return badf("%d bytes are over the limit of %d", len(b), limit)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badf("%w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badf("more than one JSON value")
	}
	return nil
}

// decodeList reads a list and counts before it allocates.
func decodeList[T any](b []byte, limit int, what string) ([]T, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, fmt.Errorf("%s must be a list", what)
	}
	var out []T
	for d.More() {
		if len(out) == limit {
			return nil, fmt.Errorf("more than %d %s", limit, what)
		}
		var v T
		if err := d.Decode(&v); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", what, len(out), err)
		}
		out = append(out, v)
	}
	return out, nil
}

// appendText appends a string with its length, so that no two lists of fields share a message.
func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// checkOrigin wants a canonical https origin: "https://example.org".
func checkOrigin(origin string) error {
	u, err := resource.ParseURL(origin + "/")
	if err != nil || u.Origin() != origin || u.Scheme() != "https" {
		return badf("%.100q is not an https origin", origin)
	}
	return nil
}

// checkPath wants a canonical path of the origin, with or without a query.
func checkPath(origin, path string) (resource.URL, error) {
	u, err := resource.ParseURL(origin + path)
	if err != nil || u.String() != origin+path || u.Origin() != origin {
		return u, badf("%.100q is not a canonical path", path)
	}
	return u, nil
}

// checkScope wants a canonical path that ends with "/".
func checkScope(origin, scope string) error {
	if u, err := checkPath(origin, scope); err != nil || u.Path() != scope || !strings.HasSuffix(scope, "/") || len(scope) > maxScope {
		return badf("the scope %.100q is not a path that ends with /", scope)
	}
	return nil
}

const (
	maxScope = 1 << 10
	// maxSequence is the largest number that every reader of JSON takes as it is.
	maxSequence = 1 << 53
)

func checkSequence(sequence, expires int64) error {
	if sequence < 1 || sequence > maxSequence || expires < 1 || expires > maxSequence {
		return badf("sequence %d, expires %d", sequence, expires)
	}
	return nil
}

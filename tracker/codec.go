package tracker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"nt/internal/resource"
)

// Items is a batch of announcements. Its decoder counts before it allocates:
// a megabyte of "{}" would otherwise become a hundred megabytes (security row 40).
type Items []Item

// UnmarshalJSON reads at most MaxItems items.
func (l *Items) UnmarshalJSON(b []byte) error {
	got, err := decodeList[Item](b, MaxItems, "items")
	*l = got
	return err
}

// Keys is the keys of a lookup.
type Keys []resource.Key

// UnmarshalJSON reads at most MaxKeys keys.
func (l *Keys) UnmarshalJSON(b []byte) error {
	got, err := decodeList[resource.Key](b, MaxKeys, "keys")
	*l = got
	return err
}

// Refusals is the refused items of a batch.
type Refusals []Refusal

// UnmarshalJSON reads at most MaxItems refusals.
func (l *Refusals) UnmarshalJSON(b []byte) error {
	got, err := decodeList[Refusal](b, MaxItems, "refused")
	*l = got
	return err
}

// Results is the answers to a lookup.
type Results []Result

// UnmarshalJSON reads at most MaxKeys results.
func (l *Results) UnmarshalJSON(b []byte) error {
	got, err := decodeList[Result](b, MaxKeys, "results")
	*l = got
	return err
}

// Peers is the holders of one key.
type Peers []PeerEntry

// UnmarshalJSON reads at most MaxWant peers.
func (l *Peers) UnmarshalJSON(b []byte) error {
	got, err := decodeList[PeerEntry](b, MaxWant, "peers")
	*l = got
	return err
}

// LoggedList is what witnesses say of one key.
type LoggedList []Logged

// UnmarshalJSON reads at most MaxStatements statements.
func (l *LoggedList) UnmarshalJSON(b []byte) error {
	got, err := decodeList[Logged](b, MaxStatements, "statements")
	*l = got
	return err
}

func decodeList[T any](b []byte, limit int, what string) ([]T, error) {
	if string(b) == "null" { // by convention of encoding/json: nothing is said
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return nil, fmt.Errorf("%s must be a list", what)
	}
	var out []T
	for dec.More() {
		if len(out) == limit {
			return nil, fmt.Errorf("more than %d %s", limit, what)
		}
		var v T
		if err := dec.Decode(&v); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", what, len(out), err)
		}
		out = append(out, v)
	}
	return out, nil
}

// Decode reads one message of API v1 strictly: one JSON value, no field that is
// not known, nothing behind it. Errors are *RefusedError.
func Decode(body []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return refuse(ReasonMalformed, "the body is empty").hint("send a JSON object, see docs/tracker-api.md")
		}
		return refuse(ReasonMalformed, "the body is not a message of API v1: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return refuse(ReasonMalformed, "there is something behind the JSON object")
	}
	return nil
}

//go:build !linux

package main

import "errors"

func runUDP(config, *plan) (*result, error) {
	return nil, errors.New("mode bep15 needs Linux: it sends many datagrams with one system call")
}

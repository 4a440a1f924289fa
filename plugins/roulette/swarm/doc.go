// Package swarm owns Roulette as a transport: it drives the pure cores of
// package roulette over encrypted sessions of transport/wire. One goroutine
// owns every core of a node; everything else (dialling, reading, asking a
// locator) posts to it.
//
// A session belongs to one object: its first message names it. Whoever asks for
// an object that the Source holds is answered by a serving core, made on demand
// and dropped when nobody is left.
//
// It knows no URL, tracker or store: a Sink, a Source and peers come in, and
// nothing is delivered but through the Sink.
package swarm

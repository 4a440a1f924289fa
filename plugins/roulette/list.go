package roulette

import "slices"

// A list is a have summary that names chunks: in order, each by how many are between it and the one before, in Rice's code with the
// parameter that makes it shortest. Sixteen of 128 take ten bytes, one in 1,024 three.
//
//	summaryList + k | for each: gap>>k ones, a zero, the k lower bits of gap | ones up to a whole byte
//
// Bits are taken from the highest of a byte on.

// maxRice is the largest k: chunk numbers have fewer bits.
const maxRice = 22

// listOf returns the list of chunks, as many of them, from the first on, as fit into MaxSummaryData or a few less, and how many these are.
func listOf(chunks []uint32) (b []byte, n int) {
	for n = min(len(chunks), 8*MaxSummaryData); n > 0; {
		gaps := gapsOf(chunks[:n])
		k, bits := riceOf(gaps)
		if size := 1 + (bits+7)/8; size > MaxSummaryData {
			n = min(n-1, n*MaxSummaryData/size)
			continue
		}
		w := bitWriter{b: []byte{summaryList + byte(k)}}
		for _, g := range gaps {
			w.ones(int(g >> k))
			w.low(0, 1)
			w.low(g, k)
		}
		w.ones(7 - (bits+7)%8)
		return w.b, n
	}
	return nil, 0
}

// gapsOf returns the chunks in order, each as how many are between it and the one before.
func gapsOf(chunks []uint32) []uint32 {
	gaps := slices.Clone(chunks)
	slices.Sort(gaps)
	next := uint32(0)
	for k, i := range gaps {
		gaps[k], next = i-next, i+1
	}
	return gaps
}

// riceOf returns the parameter that makes the code of gaps shortest, and how many bits that is.
func riceOf(gaps []uint32) (k, bits int) {
	for j := range maxRice + 1 {
		sum := len(gaps) * (j + 1)
		for _, g := range gaps {
			sum += int(g >> j)
		}
		if j == 0 || sum < bits {
			k, bits = j, sum
		}
	}
	return k, bits
}

// parseList is parseSummary of a list with parameter k.
func parseList(b []byte, k, n int, add func(word int, mask uint64)) bool {
	r := bitReader{b: b}
	for next := 0; ; {
		ones, ok := r.ones()
		if !ok { // what fills the last byte
			return ones < 8
		}
		low, ok := r.low(k)
		if !ok || ones > n>>k || ones<<k+low >= n-next {
			return false
		}
		i := next + ones<<k + low
		add(i/64, 1<<(i%64))
		next = i + 1
	}
}

// bitWriter appends bits, the highest of a byte first.
type bitWriter struct {
	b    []byte
	free int // bits of the last byte
}

// low writes the n lower bits of v.
func (w *bitWriter) low(v uint32, n int) {
	for n--; n >= 0; n-- {
		if w.free == 0 {
			w.b, w.free = append(w.b, 0), 8
		}
		w.free--
		w.b[len(w.b)-1] |= byte(v>>n&1) << w.free
	}
}

func (w *bitWriter) ones(n int) {
	for range n {
		w.low(1, 1)
	}
}

// bitReader takes bits off the front.
type bitReader struct {
	b  []byte
	at int // in bits
}

// low reads n bits; ok is false if there are fewer.
func (r *bitReader) low(n int) (v int, ok bool) {
	if r.at+n > 8*len(r.b) {
		return 0, false
	}
	for range n {
		v = v<<1 | int(r.b[r.at/8]>>(7-r.at%8)&1)
		r.at++
	}
	return v, true
}

// ones reads ones up to a zero and returns how many; ok is false if there is no zero.
func (r *bitReader) ones() (n int, ok bool) {
	for r.at < 8*len(r.b) {
		bit, _ := r.low(1)
		if bit == 0 {
			return n, true
		}
		n++
	}
	return n, false
}

package bep

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"time"

	"nt/tracker"
)

const (
	magic = 0x41727101980

	actionConnect  = 0
	actionAnnounce = 1
	actionScrape   = 2
	actionError    = 3

	headSize     = 16 // connection id, action, transaction
	announceSize = 98
	hashSize     = 20
)

// Answer implements udp.Answerer: it appends the answer to one datagram to out, which
// must have room for 1,232 bytes. What is not BEP 15 gets none.
func (s *Server) Answer(now time.Time, from netip.AddrPort, in, out []byte) []byte {
	if len(in) < headSize {
		s.count.Malformed.Add(1)
		return out
	}
	id, action := binary.BigEndian.Uint64(in), binary.BigEndian.Uint32(in[8:])
	if action == actionConnect {
		return s.connect(now, from.Addr(), id, in, out)
	}
	if action != actionAnnounce && action != actionScrape {
		s.count.Malformed.Add(1) // of some other protocol, most likely
		return out
	}
	if !s.gate.check(now, from.Addr(), id) {
		s.count.BadConnection.Add(1)
		return fail(in, out, "connect") // 15 bytes: never more than came
	}
	if action == actionAnnounce {
		return s.announceUDP(now, from.Addr(), in, out)
	}
	return s.scrapeUDP(now, in, out)
}

func (s *Server) connect(now time.Time, from netip.Addr, id uint64, in, out []byte) []byte {
	if id != magic {
		s.count.Malformed.Add(1)
		return out
	}
	s.count.Connects.Add(1)
	out = append(out, in[8:16]...) // action 0, transaction
	return binary.BigEndian.AppendUint64(out, s.gate.give(now, from))
}

// parseAnnounce reads what follows the head of an announcement.
func parseAnnounce(in []byte) (r request, ok bool) {
	if len(in) < announceSize {
		return r, false
	}
	copy(r.hash[:], in[16:])
	r.left = binary.BigEndian.Uint64(in[64:])
	r.event = binary.BigEndian.Uint32(in[80:])
	r.want = int(int32(binary.BigEndian.Uint32(in[92:])))
	r.port = binary.BigEndian.Uint16(in[96:])
	if len(in) > announceSize {
		r.token = urlToken(in[announceSize:])
	}
	return r, r.event <= 3
}

// urlToken returns the parameter "token" of the URL that a client puts behind its
// announcement (BEP 41), or "".
func urlToken(options []byte) string {
	var path []byte
options:
	for len(options) > 0 {
		switch options[0] {
		case 1: // nothing
			options = options[1:]
			continue
		case 2: // URL data: a length and so many bytes; long ones come in parts
			if len(options) >= 2 && len(options) >= 2+int(options[1]) {
				path = append(path, options[2:2+int(options[1])]...)
				options = options[2+int(options[1]):]
				continue
			}
		}
		break options
	}
	_, query, _ := bytes.Cut(path, []byte("?"))
	token := ""
	err := eachParam(string(query), func(name, value string) error {
		if name == "token" {
			token = value
		}
		return nil
	})
	if err != nil {
		return ""
	}
	return token
}

func (s *Server) announceUDP(now time.Time, from netip.Addr, in, out []byte) []byte {
	r, ok := parseAnnounce(in)
	if !ok {
		s.count.Malformed.Add(1)
		return fail(in, out, "malformed announcement")
	}
	var head [20]byte
	copy(head[:], in[8:16])
	start := len(out)
	out = append(out, head[:]...)
	counts, out, why := s.announce(now, from, r, out)
	if why != "" {
		return fail(in, out[:start], why)
	}
	s.count.AnnouncesUDP.Add(1)
	binary.BigEndian.PutUint32(out[start+8:], s.jittered())
	binary.BigEndian.PutUint32(out[start+12:], counts.Leeches)
	binary.BigEndian.PutUint32(out[start+16:], counts.Seeds)
	return out
}

func (s *Server) scrapeUDP(now time.Time, in, out []byte) []byte {
	hashes := in[headSize:]
	n := min(len(hashes)/hashSize, MaxScrape)
	if !s.admitted("") { // a scrape has no place for a token
		s.count.Token.Add(1)
		return fail(in, out, "this tracker is private")
	}
	if n == 0 {
		s.count.Malformed.Add(1)
		return fail(in, out, "malformed scrape")
	}
	s.count.ScrapesUDP.Add(1)
	out = append(out, in[8:16]...)
	for i := range n {
		c := s.cfg.Swarms.Scrape(now, tracker.InfoHash(hashes[i*hashSize:][:hashSize]))
		out = binary.BigEndian.AppendUint32(out, c.Seeds)
		out = binary.BigEndian.AppendUint32(out, c.Completed)
		out = binary.BigEndian.AppendUint32(out, c.Leeches)
	}
	return out
}

func fail(in, out []byte, why refusal) []byte {
	out = binary.BigEndian.AppendUint32(out, actionError)
	out = append(out, in[12:16]...)
	return append(out, why...)
}

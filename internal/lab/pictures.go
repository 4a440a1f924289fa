package lab

// pictured are the lines of the pictures, in this order, and so their colours.
var pictured = []string{ours, oursCore, "bittorrent/tcp", "http/tcp", "nt-http/tcp", "roulette-classic/mem", "roulette-tuned/udp"}

// paper is what the text of the 2006 paper says of its figures 6 (d) and 7: the pictures themselves
// were not at hand. "less than 12 s" and "more than 20 s" at 32 a second; at 400 kbit/s
// "just above 15 s", 4 s more than at 2 a second, and BitTorrent "almost 15 s" more than there, "more than half a minute".
var paper = map[string][]Series{
	"128k-800": {{Name: "paper: Flashback, under", X: []float64{32}, Y: []float64{12}, Points: true}, {Name: "paper: BitTorrent, over", X: []float64{32}, Y: []float64{20}, Points: true}},
	"128k-400": {{Name: "paper: Flashback", X: []float64{2, 32}, Y: []float64{11, 15}, Points: true}, {Name: "paper: BitTorrent, over", X: []float64{2, 32}, Y: []float64{15, 30}, Points: true}},
}

// Pictures redraws the paper's figures 6, 7 and 8 from the store, by file name.
func (s *Runs) Pictures() map[string][]byte {
	files := map[string][]byte{}
	for _, f := range []struct{ figure, title, number string }{{"128k-800", "128 KiB at 800 kbit/s", "6 (d)"}, {"128k-400", "128 KiB at 400 kbit/s", "7"}} {
		runs := s.figures[f.figure]
		if len(runs) == 0 {
			continue
		}
		times := Plot{Title: "As figure " + f.number + ": " + f.title, XLabel: "arrivals per second", YLabel: "mean time, s", YMax: 31}
		bytes := Plot{Title: "As figure 8: " + f.title, XLabel: "arrivals per second", YLabel: "bytes received per byte of the object"}
		for _, name := range pictured {
			times.Series = append(times.Series, s.line(f.figure, name, name, func(r Result) float64 { return r.Mean }))
			bytes.Series = append(bytes.Series, s.line(f.figure, name, name, func(r Result) float64 { return r.Received }))
		}
		times.Series = append(times.Series, paper[f.figure]...)
		times.Series = append(times.Series, Series{Name: "one reader alone, F/d", X: []float64{0.25, 256}, Y: []float64{runs[0].Bound, runs[0].Bound}, Dashed: true})
		files["time-"+f.figure+".svg"], files["bytes-"+f.figure+".svg"] = times.SVG(), bytes.SVG()
	}
	for _, f := range []struct{ name, system, number string }{{"http", "http/tcp", "6 (a)"}, {"bittorrent", "bittorrent/tcp", "6 (b)"}, {"roulette", ours, "6 (c)"}} {
		p := Plot{Title: "As figure " + f.number + ": " + f.system + " at 800 kbit/s", XLabel: "arrivals per second", YLabel: "mean time, s"}
		for _, size := range []struct{ figure, name string }{{"4k-800", "4 KiB"}, {"64k-800", "64 KiB"}, {"128k-800", "128 KiB"}} {
			p.Series = append(p.Series, s.line(size.figure, f.system, size.name, func(r Result) float64 { return r.Mean }))
		}
		if p.drawable() {
			files["sizes-"+f.name+".svg"] = p.SVG()
		}
	}
	return files
}

// line is one system's medians of a figure over the rate.
func (s *Runs) line(figure, system, name string, get func(Result) float64) Series {
	var all []Result
	for _, rate := range values(s.figures[figure], func(r Result) float64 { return r.Rate }) {
		if r, ok := s.At(Place{Figure: figure, System: system, Rate: rate}); ok {
			all = append(all, r)
		}
	}
	return SeriesOf(name, all, get)
}

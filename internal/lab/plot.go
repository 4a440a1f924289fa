package lab

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
)

// Series is one line of a plot. Points with a NaN in Y are left out.
type Series struct {
	Name   string
	X, Y   []float64
	Dashed bool // a bound
	Points bool // somebody else's figures: hollow, and not joined
}

// Plot is a line chart with a logarithmic X axis (base 2), as in the paper's figures.
type Plot struct {
	Title, XLabel, YLabel string
	YMax                  float64 // higher values leave the picture; 0: fits all
	Series                []Series
}

const (
	plotWidth, plotHeight                         = 720, 440
	marginLeft, marginRight, marginTop, marginEnd = 64, 210, 40, 52
)

// One colour for each series, in this order.
var plotColours = [...]string{"#2a78d6", "#1baf7a", "#eda100", "#e34948", "#008300", "#4a3aa7", "#8a5a2b", "#52514e", "#c2410c", "#111111"}

// SVG draws the plot.
func (p Plot) SVG() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n")
	text(&b, marginLeft, 22, "start", "#0b0b0b", p.Title, ` font-size="14" font-weight="bold"`)
	a := p.axes()
	a.draw(&b, p)
	for i, s := range p.Series {
		a.line(&b, s, plotColours[i%len(plotColours)])
	}
	p.legend(&b)
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// drawable reports whether there is a point to show.
func (p Plot) drawable() bool {
	return slices.ContainsFunc(p.Series, func(s Series) bool {
		return slices.ContainsFunc(s.Y, func(y float64) bool { return !math.IsNaN(y) })
	})
}

type axes struct {
	xLow, xHigh float64 // powers of two
	yHigh, tick float64
}

func (p Plot) axes() axes {
	a := axes{xLow: math.Inf(1), xHigh: math.Inf(-1)}
	for _, s := range p.Series {
		for i, y := range s.Y {
			if math.IsNaN(y) {
				continue
			}
			a.xLow, a.xHigh, a.yHigh = min(a.xLow, math.Log2(s.X[i])), max(a.xHigh, math.Log2(s.X[i])), max(a.yHigh, y)
		}
	}
	if p.YMax > 0 {
		a.yHigh = min(a.yHigh, p.YMax)
	}
	a.xLow, a.xHigh = math.Floor(a.xLow), math.Ceil(a.xHigh)
	a.tick = math.Pow(10, math.Floor(math.Log10(a.yHigh/4)))
	for _, f := range []float64{1, 2, 5, 10} {
		if a.yHigh/(a.tick*f) <= 6 {
			a.tick *= f
			break
		}
	}
	a.yHigh = math.Ceil(a.yHigh/a.tick) * a.tick
	return a
}

func (a axes) x(v float64) float64 {
	return marginLeft + (math.Log2(v)-a.xLow)/max(1, a.xHigh-a.xLow)*(plotWidth-marginLeft-marginRight)
}

func (a axes) y(v float64) float64 {
	return plotHeight - marginEnd - v/a.yHigh*(plotHeight-marginTop-marginEnd)
}

func (a axes) draw(b *bytes.Buffer, p Plot) {
	right := float64(plotWidth - marginRight)
	for v := 0.0; v <= a.yHigh+a.tick/2; v += a.tick {
		fmt.Fprintf(b, `<line x1="%d" x2="%.0f" y1="%.1f" y2="%.1[3]f" stroke="#e1e0d9"/>`+"\n", marginLeft, right, a.y(v))
		text(b, marginLeft-8, a.y(v)+4, "end", "#52514e", fmt.Sprintf("%.4g", v), "")
	}
	for e := a.xLow; e <= a.xHigh; e++ {
		text(b, a.x(math.Exp2(e)), plotHeight-marginEnd+18, "middle", "#52514e", fmt.Sprintf("%.4g", math.Exp2(e)), "")
	}
	text(b, (marginLeft+right)/2, plotHeight-12, "middle", "#0b0b0b", p.XLabel, "")
	text(b, 0, 0, "middle", "#0b0b0b", p.YLabel, fmt.Sprintf(` transform="translate(16 %d) rotate(-90)"`, (plotHeight-marginEnd+marginTop)/2))
}

// line draws one series; it leaves off where a value is beyond the picture.
func (a axes) line(b *bytes.Buffer, s Series, colour string) {
	var path bytes.Buffer
	pen := "M"
	for i, y := range s.Y {
		if s.Points {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="5" fill="none" stroke="%s" stroke-width="2"><title>%s: %.4g at %.4g</title></circle>`+"\n", a.x(s.X[i]), a.y(min(y, a.yHigh)), colour, escape(s.Name), y, s.X[i])
			continue
		}
		if math.IsNaN(y) || y > a.yHigh {
			pen = "M"
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, a.x(s.X[i]), a.y(y))
		pen = "L"
		if !s.Dashed {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s" stroke="#ffffff" stroke-width="2"><title>%s: %.4g at %.4g</title></circle>`+"\n", a.x(s.X[i]), a.y(y), colour, escape(s.Name), y, s.X[i])
		}
	}
	dash := ""
	if s.Dashed {
		dash = ` stroke-dasharray="5 4"`
	}
	if path.Len() == 0 {
		return
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"%s/>`+"\n", path.String(), colour, dash)
}

func (p Plot) legend(b *bytes.Buffer) {
	x := float64(plotWidth - marginRight + 16)
	for i, s := range p.Series {
		y := float64(marginTop + 10 + 20*i)
		dash := ""
		if s.Dashed {
			dash = ` stroke-dasharray="5 4"`
		}
		fmt.Fprintf(b, `<line x1="%.0f" x2="%.0f" y1="%.0f" y2="%.0[3]f" stroke="%s" stroke-width="2"%s/>`+"\n", x, x+18, y-4, plotColours[i%len(plotColours)], dash)
		text(b, x+24, y, "start", "#0b0b0b", s.Name, "")
	}
}

func text(b *bytes.Buffer, x, y float64, anchor, colour, s, more string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s"%s>%s</text>`+"\n", x, y, anchor, colour, more, escape(s))
}

func escape(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(s)) // a bytes.Buffer takes everything
	return b.String()
}

// SeriesOf draws one figure of a system's results against the rate; runs that did not
// stabilise have none.
func SeriesOf(name string, results []Result, figure func(Result) float64) Series {
	s := Series{Name: name}
	slices.SortFunc(results, func(a, b Result) int { return int(math.Copysign(1, a.Rate-b.Rate)) })
	for _, r := range results {
		y := figure(r)
		if !r.Stable {
			y = math.NaN()
		}
		s.X, s.Y = append(s.X, r.Rate), append(s.Y, y)
	}
	return s
}

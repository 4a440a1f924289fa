package modes

import (
	"io"
	"log/slog"
	"os"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// newLogger returns the program's logger on w: JSON, text, or coloured text on a
// terminal unless NO_COLOR is set.
func newLogger(w io.Writer, level, format string, env environ) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelWarn
	}
	switch {
	case format == "json":
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least}))
	case isTerminal(w):
		return slog.New(tint.NewHandler(w, &tint.Options{Level: least, NoColor: env["NO_COLOR"] != ""}))
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: least}))
}

// stdLog takes what libraries write to the standard library's own logger.
func stdLog(to *slog.Logger) io.Writer {
	return slog.NewLogLogger(to.Handler(), slog.LevelDebug).Writer()
}

// isTerminal reports whether w is a terminal.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

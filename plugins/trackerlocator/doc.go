// Package trackerlocator owns the default locator: one or more trackers asked
// through tracker/client as one peer.Locator. It knows how their answers are
// merged and which tracker may hear a URL, and nothing of the API underneath.
package trackerlocator

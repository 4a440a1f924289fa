// Package peer owns the question "where from?": origin first, then the own
// cache, then peers (N6), and the policy of what a node may announce. It
// declares the seams it needs (Locator) and knows no concrete transport,
// locator, tracker client, command line or browser.
package peer

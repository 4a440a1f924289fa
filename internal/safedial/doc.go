// Package safedial owns the rule of which addresses nt may connect to: public
// unicast only, decided on the resolved address at the moment of connecting, so
// that no spelling, redirect or changing DNS answer gets around it (security
// rows 12 and 24). It knows nothing of URLs, peers or HTTP.
package safedial

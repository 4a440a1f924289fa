// Package publisher owns what a site says about itself while it is well, so that copies
// can be believed when it is not (docs/design.md section 7, docs/adr/0009): the key
// document at /.well-known/nt.json, the manifests its keys sign, the rules by which newer
// ones replace older ones, and the file in which a cache remembers them.
//
// Everything but the Store is pure. It asks nobody: how a document was learnt, and whether
// that was over a valid certificate, is for package peer to know.
package publisher

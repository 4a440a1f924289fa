package tracker

import (
	"crypto/ed25519"
	"encoding/hex"

	"nt/transport"
)

// SignatureHeader is the HTTP header that carries the signature of an
// announcement or a leave, in hexadecimal.
const SignatureHeader = "NT-Signature"

const requestDomain = "nt-tracker-v1\n"

// Sign returns the value of SignatureHeader for a request: the Ed25519
// signature over the domain, the method, the path and the body's bytes.
func Sign(key ed25519.PrivateKey, method, path string, body []byte) string {
	return hex.EncodeToString(ed25519.Sign(key, signedMessage(method, path, body)))
}

// VerifySignature checks what Sign made. The error is a *RefusedError.
func VerifySignature(id transport.PeerID, method, path string, body []byte, header string) error {
	if len(header) != 2*ed25519.SignatureSize {
		return refuse(ReasonSignature, "%s must be %d hexadecimal digits", SignatureHeader, 2*ed25519.SignatureSize)
	}
	sig, err := hex.DecodeString(header)
	if err != nil || !ed25519.Verify(id[:], signedMessage(method, path, body), sig) {
		return refuse(ReasonSignature, "the signature of peer %s does not hold", id.Short())
	}
	return nil
}

func signedMessage(method, path string, body []byte) []byte {
	b := make([]byte, 0, len(requestDomain)+len(method)+len(path)+len(body)+2)
	b = append(b, requestDomain...)
	b = append(b, method...)
	b = append(b, '\n')
	b = append(b, path...)
	b = append(b, '\n')
	return append(b, body...)
}

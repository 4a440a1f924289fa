// Package client owns talking to one tracker by API v1: signing, batching,
// retrying, and believing nothing in an answer that it has not checked. It knows
// neither how several trackers are merged nor what an answer is used for.
package client

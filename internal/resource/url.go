package resource

// URL is a canonical absolute http or https URL without userinfo or fragment.
type URL struct{ s string }

package modes

// onReload does nothing: there is no SIGHUP.
func onReload(func()) (stop func()) { return func() {} }

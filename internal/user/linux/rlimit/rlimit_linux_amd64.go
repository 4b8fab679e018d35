package rlimit

func files() (cur, max uint64)

var soft, hard = files()

// Files is RLIMIT_NOFILE as the process began with it (getrlimit(2)).
func Files() (cur, max uint64) { return soft, hard }

// Package rlimit is what the process may open, as it was before Go's package
// syscall raised it for its own program. It imports nothing, so that it is
// initialized before that one: packages are in the order of their paths, as far as
// what they import is initialized (Go specification, "Program initialization").
package rlimit

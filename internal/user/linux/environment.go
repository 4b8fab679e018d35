package linux

import "strings"

const (
	ownPrefix    = "_RHEA_"
	hiddenPrefix = ownPrefix + "ENV_"
)

// KernelVar tells the program that replaces this one what the kernel would: the
// guest program's descriptor, and whether argv[0] is preserved (binfmt_misc).
const KernelVar = ownPrefix + "KERNEL"

// runtimeVars are what the runtime of a Go program takes from its environment
// (package runtime, "Environment Variables").
func runtimeVars() []string {
	return []string{"GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK"}
}

// HideEnvironment renames what is meant for a guest that is a Go program, and rhea's
// own runtime would take for its own: with GODEBUG=asyncpreemptoff=1 it could not stop
// the guest's threads. some reports whether there was any.
func HideEnvironment(env []string) (hidden []string, some bool) {
	for _, v := range env {
		for _, name := range runtimeVars() {
			if strings.HasPrefix(v, name+"=") {
				v, some = hiddenPrefix+v, true
				break
			}
		}
		hidden = append(hidden, v)
	}
	return hidden, some
}

// GuestEnvironment is an environment as the guest is to see it: with the names that
// HideEnvironment has changed, and without what tells rhea of itself.
func GuestEnvironment(env []string) (list []string) {
	for _, v := range env {
		v, hidden := strings.CutPrefix(v, hiddenPrefix)
		if hidden || !strings.HasPrefix(v, ownPrefix) {
			list = append(list, v)
		}
	}
	return list
}

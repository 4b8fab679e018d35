//go:build unix

package stdio

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// onContinue has f called when the process goes on after a stop.
func onContinue(f func()) (stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGCONT)
	go func() {
		for range c {
			f()
		}
	}()
	return func() {
		signal.Stop(c)
		close(c)
	}
}

//go:build darwin || freebsd || netbsd || openbsd

package termios

import "golang.org/x/sys/unix"

const (
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
)

// setSpeed: on the BSDs a speed is its own number.
func setSpeed(t *unix.Termios, baud int) {
	set(&t.Ispeed, baud)
	set(&t.Ospeed, baud)
}

func set[T ~int32 | ~uint32 | ~uint64](p *T, baud int) { *p = T(baud) }

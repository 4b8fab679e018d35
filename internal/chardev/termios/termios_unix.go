//go:build linux || darwin || freebsd || netbsd || openbsd

package termios

import "golang.org/x/sys/unix"

type state struct{ t unix.Termios }

// Raw makes input come byte by byte and unchanged. Output processing (LF to
// CR LF) stays on, so that programs which write plain LF can be read; keys
// that signal (Ctrl-C) do so if signal.
func Raw(fd int, signal bool) (*State, error) {
	old, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	t := *old
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag |= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.IEXTEN
	if !signal {
		t.Lflag &^= unix.ISIG
	}
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, setTermios, &t); err != nil {
		return nil, err
	}
	return &State{state{*old}}, nil
}

// Transparent makes a line carry all bytes unchanged in both directions.
func Transparent(fd int) error {
	t, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXOFF
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.IEXTEN | unix.ISIG
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8 | unix.CREAD | unix.CLOCAL
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, setTermios, t)
}

// Restore undoes Raw.
func (s *State) Restore(fd int) error { return unix.IoctlSetTermios(fd, setTermios, &s.t) }

// SetLine sets a line's format. Speeds that the host does not know are left
// as they are.
func SetLine(fd int, l Line) error {
	t, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return err
	}
	t.Cflag &^= unix.CSIZE | unix.PARENB | unix.PARODD | unix.CSTOPB
	switch l.DataBits {
	case 5:
		t.Cflag |= unix.CS5
	case 6:
		t.Cflag |= unix.CS6
	case 7:
		t.Cflag |= unix.CS7
	default:
		t.Cflag |= unix.CS8
	}
	switch l.Parity {
	case 'E':
		t.Cflag |= unix.PARENB
	case 'O':
		t.Cflag |= unix.PARENB | unix.PARODD
	}
	if l.StopBits == 2 {
		t.Cflag |= unix.CSTOPB
	}
	setSpeed(t, l.Baud)
	return unix.IoctlSetTermios(fd, setTermios, t)
}

// Modem reads and sets the wires of a line (TIOCM_* bits).
func Modem(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.TIOCMGET) }

// SetModem sets the wires that a program drives.
func SetModem(fd int, dtr, rts bool) error {
	v, err := unix.IoctlGetInt(fd, unix.TIOCMGET)
	if err != nil {
		return err
	}
	v &^= unix.TIOCM_DTR | unix.TIOCM_RTS
	if dtr {
		v |= unix.TIOCM_DTR
	}
	if rts {
		v |= unix.TIOCM_RTS
	}
	return unix.IoctlSetPointerInt(fd, unix.TIOCMSET, v)
}

// SetBreak holds the line in the break condition, or ends it.
func SetBreak(fd int, on bool) error {
	req := uint(unix.TIOCCBRK)
	if on {
		req = unix.TIOCSBRK
	}
	return unix.IoctlSetInt(fd, req, 0)
}

// Wires of Modem.
const (
	CTS = unix.TIOCM_CTS
	DSR = unix.TIOCM_DSR
	CD  = unix.TIOCM_CD
	RI  = unix.TIOCM_RI
	DTR = unix.TIOCM_DTR
	RTS = unix.TIOCM_RTS
)

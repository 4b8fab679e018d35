package termios

import "golang.org/x/sys/windows"

type state struct{ mode uint32 }

// Raw makes a console's input come key by key.
func Raw(fd int, signal bool) (*State, error) {
	var old uint32
	if err := windows.GetConsoleMode(windows.Handle(fd), &old); err != nil {
		return nil, err
	}
	mode := old&^(windows.ENABLE_ECHO_INPUT|windows.ENABLE_LINE_INPUT|windows.ENABLE_PROCESSED_INPUT) | windows.ENABLE_VIRTUAL_TERMINAL_INPUT
	if signal {
		mode |= windows.ENABLE_PROCESSED_INPUT
	}
	if err := windows.SetConsoleMode(windows.Handle(fd), mode); err != nil {
		return nil, err
	}
	return &State{state{old}}, nil
}

// Restore undoes Raw.
func (s *State) Restore(fd int) error { return windows.SetConsoleMode(windows.Handle(fd), s.mode) }

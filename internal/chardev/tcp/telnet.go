package tcp

import "io"

// The telnet protocol (RFC 854): commands begin with IAC.
const (
	iac  = 255
	dont = 254
	do   = 253
	wont = 252
	will = 251
	sb   = 250
	brk  = 243
	se   = 240

	optBinary = 0 // RFC 856
	optEcho   = 1 // RFC 857
	optSGA    = 3 // RFC 858
)

// telnet takes the commands out of a stream. It offers what makes a client
// send each key as it is typed, and echo nothing: the guest does.
type telnet struct {
	rw      io.ReadWriter
	onBreak func()
	state   int // of the parser: 0 data, iac, do/dont/will/wont, sb, sbIAC
	verb    byte
	binary  bool // the client sends binary: CR comes alone
	cr      bool
}

const sbIAC = 1000

func newTelnet(rw io.ReadWriter, onBreak func()) *telnet {
	t := &telnet{rw: rw, onBreak: onBreak}
	rw.Write([]byte{iac, will, optEcho, iac, will, optSGA, iac, will, optBinary, iac, do, optBinary})
	return t
}

// Write doubles IACs.
func (t *telnet) Write(b []byte) (int, error) {
	out := make([]byte, 0, len(b)+8)
	for _, c := range b {
		if c == iac {
			out = append(out, iac)
		}
		out = append(out, c)
	}
	if _, err := t.rw.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Read returns data only.
func (t *telnet) Read(b []byte) (int, error) {
	for {
		n, err := t.rw.Read(b)
		kept := 0
		for _, c := range b[:n] {
			if t.data(c) {
				b[kept] = c
				kept++
			}
		}
		if kept > 0 || err != nil {
			return kept, err
		}
	}
}

// data takes one byte and reports whether it is data.
func (t *telnet) data(c byte) bool {
	switch t.state {
	case 0:
		if c == iac {
			t.state = iac
			return false
		}
		after := t.cr && !t.binary
		t.cr = c == '\r'
		// A client that is not binary sends CR NUL or CR LF for Return.
		return !(after && (c == 0 || c == '\n'))
	case iac:
		t.state = 0
		switch c {
		case iac:
			return true
		case do, dont, will, wont:
			t.state, t.verb = do, c
		case sb:
			t.state = sb
		case brk:
			t.onBreak()
		}
	case do:
		t.state = 0
		if c == optBinary && (t.verb == will || t.verb == wont) {
			t.binary = t.verb == will
		}
	case sb:
		if c == iac {
			t.state = sbIAC
		}
	case sbIAC:
		t.state = sb
		if c == se {
			t.state = 0
		}
	}
	return false
}

package gdbstub

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxPacket bounds packets in both directions, and what is read of memory at
// once.
const maxPacket = 16384

// server is a connection.
type server struct {
	w      io.Writer
	t      Target
	in     chan string   // packets; "\x03" is an interrupt
	gone   chan struct{} // closed when nothing more comes, because of err
	err    error
	noAck  bool
	multi  bool // the peer understands process numbers in those of threads
	swbrk  bool // and stops that tell of breakpoints
	thread int  // of g, G and the like
	listed []int
	last   Stop
	breaks map[place]bool
	done   bool
}

// place is a breakpoint.
type place struct {
	kind       BreakKind
	addr, size uint64
}

var errPacket = errors.New("gdb: a packet is too long")

// Serve serves one connection until it ends. The target is stopped when it is
// called; the first of its threads is where the debugger begins. When the
// peer is gone without a word, the target goes on without one.
func Serve(conn io.ReadWriter, t Target) error {
	s := &server{w: conn, t: t, in: make(chan string), gone: make(chan struct{}), breaks: map[place]bool{}}
	s.last = Stop{Signal: SigTrap}
	if list := t.Threads(); len(list) > 0 {
		s.thread, s.last.Thread = list[0], list[0]
	}
	stop := make(chan struct{})
	defer close(stop)
	acks := make(chan bool, 1)
	go func() {
		s.err = receive(conn, s.in, stop, acks)
		close(s.gone)
	}()
	for !s.done {
		select {
		case p := <-s.in:
			if p == "\x03" {
				continue // it is stopped
			}
			if err := s.packet(p, acks); err != nil {
				s.leave()
				return err
			}
		case <-s.gone:
			s.leave()
			return s.err
		}
	}
	return nil
}

// leave has the target go on without a debugger.
func (s *server) leave() {
	if s.done {
		return
	}
	s.done = true
	for b := range s.breaks {
		s.t.Remove(b.kind, b.addr, b.size)
	}
	s.t.Detach()
}

// receive reads packets; those with a wrong sum it has the peer repeat, as long
// as packets are acknowledged.
func receive(conn io.ReadWriter, to chan<- string, stop <-chan struct{}, acks <-chan bool) error {
	b := make([]byte, 4096)
	var p []byte
	state, sum := 0, byte(0)
	ack := true
	send := func(p string) bool {
		select {
		case to <- p:
			return true
		case <-stop:
			return false
		}
	}
	for {
		n, err := conn.Read(b)
		for _, c := range b[:n] {
			switch state {
			case 0:
				switch c {
				case '$':
					p, state = p[:0], 1
				case 3:
					if !send("\x03") {
						return nil
					}
				}
			case 1:
				if c == '#' {
					state = 2
					break
				}
				if len(p) >= maxPacket {
					return errPacket
				}
				p = append(p, c)
			case 2:
				sum, state = nibble(c)<<4, 3
			case 3:
				state = 0
				sum |= nibble(c)
				select {
				case <-acks:
					ack = false
				default:
				}
				if ack {
					if sum != checksum(p) {
						if _, err := conn.Write([]byte("-")); err != nil {
							return err
						}
						continue
					}
					if _, err := conn.Write([]byte("+")); err != nil {
						return err
					}
				}
				if !send(string(unescape(p))) {
					return nil
				}
			}
		}
		if err != nil {
			return err
		}
	}
}

func nibble(c byte) byte {
	v, _ := strconv.ParseUint(string(rune(c)), 16, 8)
	return byte(v)
}

func checksum(p []byte) (sum byte) {
	for _, c := range p {
		sum += c
	}
	return sum
}

// unescape undoes what binary data is sent with: '}' and the byte xor 0x20.
func unescape(p []byte) []byte {
	if bytes.IndexByte(p, '}') < 0 {
		return p
	}
	out := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		if p[i] == '}' && i+1 < len(p) {
			i++
			out = append(out, p[i]^0x20)
			continue
		}
		out = append(out, p[i])
	}
	return out
}

func escape(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for _, c := range p {
		if c == '$' || c == '#' || c == '}' || c == '*' {
			out = append(out, '}', c^0x20)
			continue
		}
		out = append(out, c)
	}
	return out
}

func (s *server) send(p string) error {
	_, err := fmt.Fprintf(s.w, "$%s#%02x", p, checksum([]byte(p)))
	return err
}

// packet does a packet.
func (s *server) packet(p string, acks chan<- bool) error {
	if p == "" {
		return s.send("")
	}
	switch {
	case p == "QStartNoAckMode":
		err := s.send("OK")
		if !s.noAck {
			s.noAck = true
			acks <- true
		}
		return err
	case p[0] == 'c', p[0] == 'C', p[0] == 's', p[0] == 'S':
		return s.resumeOld(p)
	case strings.HasPrefix(p, "vCont;"):
		return s.vCont(strings.Split(p[6:], ";"))
	case p[0] == 'D':
		s.leave()
		return s.send("OK")
	case p[0] == 'k', strings.HasPrefix(p, "vKill"):
		s.done = true
		if p[0] == 'v' {
			s.send("OK")
		}
		s.t.Kill()
		return nil
	}
	return s.send(s.answer(p))
}

const (
	ok      = "OK"
	failure = "E01"
	invalid = "E16" // EINVAL
	noSpace = "E1c"
)

// answer is the reply to what does not run the target.
func (s *server) answer(p string) string {
	name, rest, _ := strings.Cut(p, ":")
	if f := named()[name]; f != nil {
		return f(s, rest)
	}
	if f := letters()[p[0]]; f != nil {
		return f(s, p[1:])
	}
	return ""
}

// named are packets with names, letters those of one letter.
func named() map[string]func(*server, string) string {
	return map[string]func(*server, string) string{
		"qSupported":      (*server).supported,
		"vCont?":          func(*server, string) string { return "vCont;c;C;s;S;r;t" },
		"vMustReplyEmpty": func(*server, string) string { return "" },
		"qC":              func(s *server, _ string) string { return "QC" + s.id(s.thread) },
		"qAttached":       func(*server, string) string { return "0" },
		"qfThreadInfo": func(s *server, _ string) string {
			s.listed = s.t.Threads()
			return s.nextThreads()
		},
		"qsThreadInfo":  func(s *server, _ string) string { return s.nextThreads() },
		"qXfer":         (*server).transfer,
		"QPassSignals":  func(*server, string) string { return "" },
		"qSymbol":       func(*server, string) string { return ok },
		"qTStatus":      func(*server, string) string { return "" },
		"qOffsets":      func(*server, string) string { return "" },
		"QThreadEvents": func(*server, string) string { return "" },
	}
}

func letters() map[byte]func(*server, string) string {
	return map[byte]func(*server, string) string{
		'?': func(s *server, _ string) string { return s.stopReply(s.last) },
		'!': func(*server, string) string { return ok },
		'H': (*server).setThread,
		'T': func(s *server, p string) string {
			if n, good := s.parseID(p); good && s.t.Registers(n) != nil {
				return ok
			}
			return failure
		},
		'g': (*server).readAll, 'G': (*server).writeAll,
		'p': (*server).readOne, 'P': (*server).writeOne,
		'm': (*server).readMemory, 'M': (*server).writeHex, 'X': (*server).writeBinary,
		'Z': func(s *server, p string) string { return s.breakpoint(p, true) },
		'z': func(s *server, p string) string { return s.breakpoint(p, false) },
		'q': (*server).query,
	}
}

func (s *server) supported(features string) string {
	for _, f := range strings.Split(features, ";") {
		switch f {
		case "multiprocess+":
			s.multi = true
		case "swbreak+":
			s.swbrk = true
		}
	}
	list := fmt.Sprintf("PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;vContSupported+;swbreak+;hwbreak+;multiprocess+", maxPacket-64)
	for _, name := range []string{"auxv", "exec-file", "siginfo"} {
		if _, has := s.t.Object(name); has {
			list += ";qXfer:" + name + ":read+"
		}
	}
	return list
}

// query are those that names have no colon behind.
func (s *server) query(p string) string {
	switch {
	case strings.HasPrefix(p, "ThreadExtraInfo,"):
		if n, good := s.parseID(p[len("ThreadExtraInfo,"):]); good {
			return hex.EncodeToString([]byte(s.t.ThreadName(n)))
		}
		return failure
	case strings.HasPrefix(p, "Rcmd,"):
		command, err := hex.DecodeString(p[len("Rcmd,"):])
		if err != nil {
			return invalid
		}
		text := s.t.Monitor(string(command))
		if text == "" {
			return ok
		}
		return hex.EncodeToString([]byte(text[:min(len(text), maxPacket/2-64)]))
	}
	return ""
}

// id is a thread's number as the peer knows it.
func (s *server) id(n int) string {
	if s.multi {
		return fmt.Sprintf("p%x.%x", s.t.Process(), n)
	}
	return fmt.Sprintf("%x", n)
}

// parseID reads a thread's number: 0 is any, -1 all.
func (s *server) parseID(p string) (int, bool) {
	if rest, is := strings.CutPrefix(p, "p"); is {
		process, thread, has := strings.Cut(rest, ".")
		if !has {
			thread = "-1"
		}
		if n, err := strconv.ParseInt(process, 16, 32); err != nil || n > 0 && int(n) != s.t.Process() {
			return 0, false
		}
		p = thread
	}
	n, err := strconv.ParseInt(p, 16, 32)
	return int(n), err == nil && n >= -1
}

func (s *server) setThread(p string) string {
	if p == "" {
		return invalid
	}
	n, good := s.parseID(p[1:])
	switch {
	case !good:
		return invalid
	case n <= 0:
		return ok // as it is
	case s.t.Registers(n) == nil:
		return failure
	case p[0] == 'g':
		s.thread = n
	}
	return ok
}

func (s *server) nextThreads() string {
	if len(s.listed) == 0 {
		return "l"
	}
	n := min(len(s.listed), 200)
	var list []string
	for _, t := range s.listed[:n] {
		list = append(list, s.id(t))
	}
	s.listed = s.listed[n:]
	return "m" + strings.Join(list, ",")
}

// transfer is qXfer: object:read:annex:offset,length.
func (s *server) transfer(p string) string {
	f := strings.Split(p, ":")
	if len(f) != 4 || f[1] != "read" {
		return ""
	}
	off, n, good := pair(f[3])
	if !good {
		return invalid
	}
	var data []byte
	switch f[0] {
	case "features":
		if f[2] != "target.xml" {
			return "E00"
		}
		data = []byte(s.t.Arch().xml())
	case "threads":
		var b strings.Builder
		b.WriteString(`<?xml version="1.0"?><threads>`)
		for _, t := range s.t.Threads() {
			fmt.Fprintf(&b, "<thread id=%q name=%q/>", s.id(t), xmlText(s.t.ThreadName(t)))
		}
		b.WriteString("</threads>")
		data = []byte(b.String())
	default:
		var has bool
		if data, has = s.t.Object(f[0]); !has {
			return ""
		}
	}
	if off >= uint64(len(data)) {
		return "l"
	}
	data = data[off:]
	more := "l"
	if n = min(n, maxPacket/2-64); uint64(len(data)) > n {
		data, more = data[:n], "m"
	}
	return more + string(escape(data))
}

// xmlText is a text without what attributes in quotes may not have.
func xmlText(t string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`<>&"'\`, r) {
			return '?'
		}
		return r
	}, t)
}

// pair reads two hexadecimal numbers with a comma between.
func pair(p string) (a, b uint64, good bool) {
	x, y, has := strings.Cut(p, ",")
	a, err1 := strconv.ParseUint(x, 16, 64)
	b, err2 := strconv.ParseUint(y, 16, 64)
	return a, b, has && err1 == nil && err2 == nil
}

// --- registers

func (s *server) register(r Registers, n int) string {
	reg := &s.t.Arch().Registers[n]
	b := make([]byte, reg.size())
	if !r.Get(n, b) {
		return strings.Repeat("xx", len(b))
	}
	return hex.EncodeToString(b)
}

func (s *server) readAll(string) string {
	r := s.t.Registers(s.thread)
	if r == nil {
		return failure
	}
	var b strings.Builder
	for n := range s.t.Arch().Registers {
		b.WriteString(s.register(r, n))
	}
	return b.String()
}

func (s *server) writeAll(p string) string {
	r := s.t.Registers(s.thread)
	if r == nil {
		return failure
	}
	for n := range s.t.Arch().Registers {
		size := 2 * s.t.Arch().Registers[n].size()
		if len(p) < size {
			break
		}
		if b, err := hex.DecodeString(p[:size]); err == nil {
			r.Set(n, b)
		}
		p = p[size:]
	}
	return ok
}

func (s *server) readOne(p string) string {
	n, err := strconv.ParseUint(p, 16, 16)
	r := s.t.Registers(s.thread)
	if err != nil || r == nil || int(n) >= len(s.t.Arch().Registers) {
		return failure
	}
	return s.register(r, int(n))
}

func (s *server) writeOne(p string) string {
	which, value, _ := strings.Cut(p, "=")
	n, err := strconv.ParseUint(which, 16, 16)
	b, err2 := hex.DecodeString(value)
	r := s.t.Registers(s.thread)
	if err != nil || err2 != nil || r == nil || int(n) >= len(s.t.Arch().Registers) || len(b) != s.t.Arch().Registers[n].size() || !r.Set(int(n), b) {
		return failure
	}
	return ok
}

// --- memory

func (s *server) readMemory(p string) string {
	addr, n, good := pair(p)
	if !good {
		return invalid
	}
	b := make([]byte, min(n, maxPacket/2-64))
	got := s.t.ReadMemory(addr, b)
	if got == 0 && n > 0 {
		return "E0e" // EFAULT
	}
	return hex.EncodeToString(b[:got])
}

func (s *server) writeHex(p string) string {
	head, data, _ := strings.Cut(p, ":")
	b, err := hex.DecodeString(data)
	if err != nil {
		return invalid
	}
	return s.write(head, b)
}

func (s *server) writeBinary(p string) string {
	head, data, _ := strings.Cut(p, ":")
	return s.write(head, []byte(data))
}

func (s *server) write(head string, b []byte) string {
	addr, n, good := pair(head)
	if !good || n != uint64(len(b)) {
		return invalid
	}
	if len(b) > 0 && s.t.WriteMemory(addr, b) != nil {
		return "E0e"
	}
	return ok
}

// maxBreaks bounds how many breakpoints there may be.
const maxBreaks = 10000

func (s *server) breakpoint(p string, insert bool) string {
	kind, rest, _ := strings.Cut(p, ",")
	rest, _, _ = strings.Cut(rest, ";") // conditions are the peer's
	k, err := strconv.ParseUint(kind, 16, 8)
	addr, size, good := pair(rest)
	if err != nil || !good {
		return invalid
	}
	if k > uint64(AccessWatch) {
		return ""
	}
	b := place{BreakKind(k), addr, size}
	switch {
	case insert && s.breaks[b], !insert && !s.breaks[b]:
		return ok
	case insert:
		if len(s.breaks) >= maxBreaks || s.t.Insert(b.kind, b.addr, b.size) != nil {
			return noSpace
		}
		s.breaks[b] = true
	default:
		delete(s.breaks, b)
		if s.t.Remove(b.kind, b.addr, b.size) != nil {
			return failure
		}
	}
	return ok
}

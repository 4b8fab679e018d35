package gdbstub

import (
	"fmt"
	"strconv"
	"strings"
)

// resumeOld is c, C, s and S: a signal, and where to go on.
func (s *server) resumeOld(p string) error {
	a := Action{Kind: p[0] | 0x20}
	rest := p[1:]
	if p[0] < 'a' {
		sig, addr, _ := strings.Cut(rest, ";")
		n, err := strconv.ParseUint(sig, 16, 8)
		if err != nil {
			return s.send(invalid)
		}
		a.Signal, rest = int(n), addr
	}
	if rest != "" {
		pc, err := strconv.ParseUint(rest, 16, 64)
		if err != nil || !s.setPC(pc) {
			return s.send(invalid)
		}
	}
	at := s.thread
	return s.run(func(id int) Action {
		if id == at {
			return a
		}
		if a.Kind == 's' {
			return Action{}
		}
		return Action{Kind: 'c'}
	})
}

func (s *server) setPC(pc uint64) bool {
	arch := s.t.Arch()
	r := s.t.Registers(s.thread)
	if r == nil {
		return false
	}
	b := make([]byte, arch.Registers[arch.PC].size())
	if len(b) == 4 {
		arch.Order.PutUint32(b, uint32(pc))
	} else {
		arch.Order.PutUint64(b, pc)
	}
	return r.Set(arch.PC, b)
}

// vCont names an action for each thread; the first that fits counts.
func (s *server) vCont(list []string) error {
	type rule struct {
		id int // -1 = all
		a  Action
	}
	var rules []rule
	for _, p := range list {
		what, who, has := strings.Cut(p, ":")
		if what == "" {
			return s.send(invalid)
		}
		x := rule{-1, Action{Kind: what[0]}}
		switch what[0] {
		case 'c', 's':
		case 'C', 'S':
			n, err := strconv.ParseUint(what[1:], 16, 8)
			if err != nil {
				return s.send(invalid)
			}
			x.a = Action{Kind: what[0] | 0x20, Signal: int(n)}
		case 'r':
			from, to, good := pair(what[1:])
			if !good {
				return s.send(invalid)
			}
			x.a = Action{Kind: 's', From: from, To: to}
		case 't':
			x.a = Action{}
		default:
			return s.send(invalid)
		}
		if has {
			n, good := s.parseID(who)
			if !good {
				return s.send(invalid)
			}
			if n == 0 {
				n = s.thread
			}
			x.id = n
		}
		rules = append(rules, x)
	}
	return s.run(func(id int) Action {
		for _, x := range rules {
			if x.id == -1 || x.id == id {
				return x.a
			}
		}
		return Action{}
	})
}

// run has the target run until it stops, or the peer interrupts it.
func (s *server) run(f func(id int) Action) error {
	s.t.Resume(f)
	for {
		select {
		case stop := <-s.t.Stops():
			s.last = stop
			if stop.Ended {
				s.done = true
			} else {
				s.thread = stop.Thread
			}
			return s.send(s.stopReply(stop))
		case <-s.in: // whatever it is: packets are for targets that are stopped
			s.t.Interrupt()
		case <-s.gone:
			s.t.Interrupt()
			if x := <-s.t.Stops(); x.Ended {
				s.done = true
			}
			return s.err
		}
	}
}

// stopReply is what the peer is told of a stop.
func (s *server) stopReply(x Stop) string {
	if x.Ended {
		kind, n := 'W', x.Status
		if x.Signal != 0 {
			kind, n = 'X', x.Signal
		}
		if s.multi {
			return fmt.Sprintf("%c%02x;process:%x", kind, n&0xff, s.t.Process())
		}
		return fmt.Sprintf("%c%02x", kind, n&0xff)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "T%02x", x.Signal)
	if r := s.t.Registers(x.Thread); r != nil {
		for _, n := range s.t.Arch().Stop {
			fmt.Fprintf(&b, "%02x:%s;", n, s.register(r, n))
		}
	}
	fmt.Fprintf(&b, "thread:%s;", s.id(x.Thread))
	switch {
	case x.Watch != 0:
		names := map[BreakKind]string{WriteWatch: "watch", ReadWatch: "rwatch", AccessWatch: "awatch"}
		fmt.Fprintf(&b, "%s:%x;", names[x.Watch], x.Addr)
	case x.Break && s.swbrk:
		b.WriteString("swbreak:;")
	}
	return b.String()
}

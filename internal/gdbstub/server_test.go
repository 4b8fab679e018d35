package gdbstub

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"rhea/internal/guest/x86"
)

// machine is a target of one thread, which stops at once.
type machine struct {
	x86    *X86
	cpu    *x86.CPU
	memory []byte // at 0x1000
	stops  chan Stop
	next   Stop
	log    []string
}

func newMachine(long bool) *machine {
	model, err := x86.ParseModel64("max")
	if err != nil {
		panic(err)
	}
	m := &machine{
		x86: NewX86(long, true, long), cpu: x86.New(x86.Config{Model: model, Pages: nothing{}}), memory: make([]byte, 0x1000),
		stops: make(chan Stop, 1), next: Stop{Thread: 7, Signal: SigTrap},
	}
	if long {
		m.cpu.StartUser64(0x1000, 0x1ff0)
	} else {
		m.cpu.StartUser(0x1000, 0x1ff0)
	}
	return m
}

type nothing struct{}

func (nothing) Page(uint64) (bool, bool, bool) { return false, false, false }

func (m *machine) Arch() *Arch             { return m.x86.Arch }
func (m *machine) Process() int            { return 7 }
func (m *machine) Threads() []int          { return []int{7} }
func (m *machine) ThreadName(int) string   { return `a "<&thread` }
func (m *machine) Stops() <-chan Stop      { return m.stops }
func (m *machine) Interrupt()              {}
func (m *machine) Detach()                 { m.log = append(m.log, "detach") }
func (m *machine) Kill()                   { m.log = append(m.log, "kill") }
func (m *machine) Monitor(c string) string { return strings.ToUpper(c) }

func (m *machine) Registers(id int) Registers {
	if id != 7 {
		return nil
	}
	return m.x86.Of(m.cpu)
}

func (m *machine) ReadMemory(addr uint64, b []byte) int {
	if addr < 0x1000 || addr >= 0x2000 {
		return 0
	}
	return copy(b, m.memory[addr-0x1000:])
}

func (m *machine) WriteMemory(addr uint64, b []byte) error {
	if addr < 0x1000 || addr > 0x2000 || uint64(len(b)) > 0x2000-addr {
		return errors.New("none")
	}
	copy(m.memory[addr-0x1000:], b)
	return nil
}

func (m *machine) Insert(kind BreakKind, addr, size uint64) error {
	m.log = append(m.log, fmt.Sprint("insert ", kind, " ", addr, " ", size))
	return nil
}

func (m *machine) Remove(kind BreakKind, addr, size uint64) error {
	m.log = append(m.log, fmt.Sprint("remove ", kind, " ", addr, " ", size))
	return nil
}

func (m *machine) Resume(f func(int) Action) {
	m.log = append(m.log, fmt.Sprintf("resume %c %d", f(7).Kind, f(7).Signal))
	m.stops <- m.next
}

func (m *machine) Object(name string) ([]byte, bool) { return []byte("}x$"), name == "auxv" }

// wire is a connection of which one side is written beforehand.
type wire struct {
	in  io.Reader
	out strings.Builder
}

func (w *wire) Read(b []byte) (int, error)  { return w.in.Read(b) }
func (w *wire) Write(b []byte) (int, error) { return w.out.Write(b) }

// dialogue has a server answer packets without acknowledgements, one after the
// other.
func dialogue(t *testing.T, m *machine, packets ...string) (answers []string) {
	t.Helper()
	here, there := io.Pipe()
	back, answer := io.Pipe()
	done := make(chan error)
	go func() {
		done <- Serve(struct {
			io.Reader
			io.Writer
		}{here, answer}, m)
	}()
	got := make(chan string)
	go func() {
		var p []byte
		b := make([]byte, 1)
		for {
			if _, err := back.Read(b); err != nil {
				close(got)
				return
			}
			switch {
			case b[0] == '+' && len(p) == 0:
			case b[0] == '#':
				io.ReadFull(back, make([]byte, 2))
				got <- string(p[1:])
				p = nil
			default:
				p = append(p, b[0])
			}
		}
	}()
	for _, p := range packets {
		fmt.Fprintf(there, "+$%s#%02x", p, checksum([]byte(p)))
		select {
		case a := <-got:
			answers = append(answers, a)
		case <-time.After(5 * time.Minute):
			t.Fatalf("no answer to %q", p)
		}
	}
	there.Close()
	<-done
	answer.Close()
	return answers
}

func TestPackets(t *testing.T) {
	for _, c := range []struct{ packet, want string }{
		{"?", "T05"},
		{"qSupported:multiprocess+;swbreak+", "PacketSize="},
		{"?", "thread:p7.7;"},
		{"qfThreadInfo", "mp7.7"},
		{"qsThreadInfo", "l"},
		{"qC", "QCp7.7"},
		{"Hg0", "OK"}, {"Hgp7.7", "OK"}, {"Hg9", "E01"}, {"Hgzz", "E16"}, {"H", "E16"},
		{"Tp7.7", "OK"}, {"T9", "E01"},
		{"M1004,2:abcd", "OK"}, {"m1004,2", "abcd"}, {"m1004,ffffffffffffffff", "abcd"}, {"m5000,4", "E0e"}, {"m10", "E16"},
		{"X1006,3:a}\x03}]", "OK"}, {"m1006,3", "61237d"}, {"X1006,9:a", "E16"},
		{"P0=78563412", "OK"}, {"p0", "78563412"}, {"p8", "00100000"}, {"pffff", "E01"}, {"P0=78", "E01"}, {"p10", "0000000000000000"},
		{"Z0,1010,1", "OK"}, {"Z2,1010,4", "OK"}, {"z0,1010,1", "OK"}, {"Z9,1,1", ""}, {"Z0", "E16"},
		{"vCont?", "vCont;c;C;s;S;r;t"},
		{"vCont;c", "T05"}, {"vCont;s:p7.7;c", "T05"}, {"C0b", "T05"}, {"s", "T05"}, {"vCont;x", "E16"}, {"vCont;", "E16"},
		{"qXfer:features:read:target.xml:0,100", `m<?xml version="1.0"?>`},
		{"qXfer:features:read:other:0,100", "E00"},
		{"qXfer:auxv:read::0,100", "l}]x}\x04"},
		{"qXfer:threads:read::0,1000", `name="a ???thread"`},
		{"qXfer:nothing:read::0,100", ""},
		{"qXfer:auxv:read::ffffffffffffffff,100", "l"},
		{"qRcmd,6869", "4849"}, {"qRcmd,6", "E16"},
		{"vMustReplyEmpty", ""}, {"nonsense", ""},
	} {
		m := newMachine(false)
		got := dialogue(t, m, "qSupported:multiprocess+;swbreak+", "QStartNoAckMode", "M1004,2:abcd", "X1006,3:a}\x03}]", "P0=78563412", "Z0,1010,1", c.packet)
		if a := got[len(got)-1]; !strings.Contains(a, c.want) || c.want == "" && a != "" {
			t.Errorf("%q: %q, want %q", c.packet, a, c.want)
		}
	}
}

// What the peer has left behind is undone when it goes.
func TestGone(t *testing.T) {
	m := newMachine(true)
	dialogue(t, m, "Z0,1010,1")
	if got := strings.Join(m.log, ","); got != "insert 0 4112 1,remove 0 4112 1,detach" {
		t.Error(got)
	}
	m = newMachine(true)
	m.next = Stop{Thread: 7, Ended: true, Status: 3}
	if got := dialogue(t, m, "vCont;c"); got[0] != "W03" {
		t.Error(got)
	}
}

// Registers are written as they are read.
func TestX86(t *testing.T) {
	for _, long := range []bool{false, true} {
		m := newMachine(long)
		r := m.Registers(7)
		for n, reg := range m.x86.Arch.Registers {
			b := make([]byte, reg.size())
			if !r.Get(n, b) {
				t.Fatalf("%s", reg.Name)
			}
			switch {
			case reg.Name == "eflags" || reg.Name == "mxcsr" || reg.Name[0] == 'f' || strings.HasPrefix(reg.Name, "orig"):
				continue
			case m.x86.places[n].kind == 's':
				if b[0] ^= 1; r.Set(n, b) {
					t.Errorf("%s can be changed", reg.Name)
				}
				continue
			}
			for i := range b {
				b[i] = byte(17*n + i)
			}
			got := make([]byte, len(b))
			if !r.Set(n, b) || !r.Get(n, got) || string(got) != string(b) {
				t.Errorf("%s: %x, want %x", reg.Name, got, b)
			}
		}
	}
}

// FuzzServe: whatever the peer sends, the server neither panics nor hangs.
func FuzzServe(f *testing.F) {
	for _, s := range []string{"$?#3f", "+$g#67", "$vCont;c#a8\x03", "$X1000,2:}]#00$G00#00", "$Z0,1000,1#ff$D#44", "$k#6b", "$qXfer:auxv:read::0,10#00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// Without acknowledgements sums do not count.
		w := &wire{in: io.MultiReader(strings.NewReader("$QStartNoAckMode#b0"), strings.NewReader(string(b)))}
		done := make(chan bool)
		m := newMachine(len(b)&1 != 0)
		go func() { Serve(w, m); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Minute):
			t.Fatalf("%q hangs", b)
		}
	})
}

package tcg_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rhea/internal/accel"
	"rhea/internal/accel/tcg"
	"rhea/internal/guest/x86"
)

// fuzzTables are the descriptor tables, the TSS and the handlers. A handler asks
// by an IN from the port of its number whether to go on; it skips a faulting
// instruction, by a table, and returns.
func fuzzTables(t testing.TB) []byte { return fuzzTablesOnce(t) }

var fuzzTablesOnce = func() func(testing.TB) []byte {
	var once sync.Once
	var b []byte
	return func(t testing.TB) []byte {
		once.Do(func() { b = makeFuzzTables(t) })
		return b
	}
}()

func makeFuzzTables(t testing.TB) []byte {
	b := make([]byte, fuzzSkips)
	const flat = 0xfffff
	for _, d := range []struct{ sel, base, limit, attr uint32 }{
		{fzK32, 0, flat, 0xc09b}, {fzKData, 0, flat, 0xc093}, {fzU32, 0, flat, 0xc0fb}, {fzUData, 0, flat, 0xc0f3},
		{fzTSS, fuzzTSS, 0x67, 0x8b}, {fzP32, 0, fuzzRAM - 1, 0x409b}, {fzPData, 0, fuzzRAM - 1, 0x4093},
		{fzK16, fuzzCode, 0xffff, 0x9b}, {fzK16Data, fuzzCode, 0xffff, 0x93}, {fzU16, fuzzCode, 0xffff, 0xfb}, {fzU16Data, fuzzCode, 0xffff, 0xf3},
		{fzK64, 0, flat, 0xa09b}, {fzU64, 0, flat, 0xa0fb}, {fzDown, fuzzCode, 0x2fff, 0x40f7}, {fzRO, fuzzCode, 0xffff, 0x40f1}, {fzNP, fuzzCode, 0xffff, 0x4073},
	} {
		at := int(fuzzGDT + d.sel&^7)
		put32(b, at, d.base<<16|d.limit&0xffff)
		put32(b, at+4, d.base&0xff000000|d.limit&0xf0000|d.attr<<8&0xf0ff00|d.base>>16&0xff)
	}
	put32(b, fuzzTSS+4, fuzzKStack)
	put32(b, fuzzTSS+8, fzKData)
	put32(b, fuzzTSS+0x1c, fuzzPD)
	put32(b, fuzzTSS+0x64, 0x68<<16)
	for v := range fuzzVectors {
		skip := v < 32 && v != 1 && v != 2 && v != 3 && v != 4
		at32, at16 := uint32(fuzzHandlers+v*96), uint32(fuzzReal+v*80)
		copy(b[at32:at32+96], assemble(t, 32, at32, map[string]uint32{}, handler32(v, skip)))
		copy(b[at16:at16+80], assemble(t, 16, at16, map[string]uint32{}, handler16(v, skip)))
		put32(b, fuzzIDT+v*8, fzK32<<16|at32)
		put32(b, fuzzIDT+v*8+4, map[bool]uint32{true: 0xee00, false: 0xef00}[v%2 == 0])
	}
	for v := range 256 {
		put32(b, v*4, uint32(fuzzReal+min(v, fuzzVectors-1)*80))
	}
	return b
}

const stopText = "stop: mov eax, 0x57090000\nout 0xf0, eax\nhalt: hlt\njmp halt\n"

func handler32(v int, skip bool) string {
	code, pop := 0, ""
	if hasCode(v) {
		code, pop = 4, "add esp, 4\n"
	}
	text := fmt.Sprintf("push eax\nin al, %d\ntest al, al\njnz stop\n", v)
	if v == 3 {
		return text + stopText
	}
	if skip {
		text += fmt.Sprintf(`mov eax, [esp+%d]
			sub eax, [cs:%d]
			cmp eax, %d
			jnc stop
			db 0x2e, 0x0f, 0xb7, 0x04, 0x45
			dd %d
			add eax, [cs:%d]
			mov [esp+%d], eax
			`, 4+code, fuzzBase, fuzzSkipSize, fuzzSkips, fuzzBase, 4+code) // MOVZX EAX, CS:[EAX*2+table]
	}
	return text + "pop eax\n" + pop + "iret\n" + stopText
}

func handler16(v int, skip bool) string {
	text := fmt.Sprintf("push ax\nin al, %d\ntest al, al\njnz stop\n", v)
	if v == 3 {
		return text + stopText
	}
	if skip {
		text += fmt.Sprintf(`push bp
			mov bp, sp
			mov ax, [bp+4]
			sub ax, [cs:%d]
			cmp ax, %d
			jnc stop
			push bx
			mov bx, ax
			add bx, ax
			mov ax, [cs:bx+%d]
			pop bx
			add ax, [cs:%d]
			mov [bp+4], ax
			pop bp
			`, fuzzBase, fuzzSkipSize, fuzzSkips, fuzzBase)
	}
	return text + "pop ax\niret\n" + stopText
}

// fuzzRig is a machine that runs programs, many one after the other.
type fuzzRig struct {
	*rig
	engine string
	events []fuzzEvent
	limit  int // of events that it goes on after
	ended  bool

	turn atomic.Int64 // odd while the processor runs
}

// fuzzEvent is an access to a port: an exception's handler, or the program's own.
type fuzzEvent struct {
	what  string
	port  uint64
	size  int
	value uint64
	state x86.State
	flags uint64
	ram   uint32
}

// fuzzCache is the size of the code memory: small, so that it is full now and
// then. RHEA_FUZZ_CACHE=MiB says otherwise.
func fuzzCache() int {
	mib, err := strconv.Atoi(os.Getenv("RHEA_FUZZ_CACHE"))
	if err != nil {
		mib = 1
	}
	return mib << 20
}

func newFuzzRig(t testing.TB, engine, model string) *fuzzRig {
	r := &fuzzRig{engine: engine}
	r.rig = newRigEngine(t, engine, model, fuzzRAM, r, func(cfg *tcg.Config) {
		cfg.CacheSize = fuzzCache()
	})
	r.cpu.SetIntAck(func() int {
		r.cpu.SetINTR(false)
		return 0x21
	})
	// Who executes HLT with nothing to wake it is woken here, some milliseconds later.
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() {
		last := int64(0)
		for {
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
			if now := r.turn.Load(); now == last && now&1 != 0 {
				r.vcpu.Kick()
			} else {
				last = now
			}
		}
	}()
	return r
}

// kickAlways kicks the processor until the function it returns is called.
func (r *fuzzRig) kickAlways() (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-done:
				return
			default:
				r.vcpu.Kick()
				runtime.Gosched()
			}
		}
	}()
	return func() { close(done); <-gone }
}

// lazyFields are the words of the state that arithmetic flags follow from.
var lazyFields = func() (list []int) {
	t := reflect.TypeFor[x86.State]()
	for i := range t.NumField() {
		if strings.HasPrefix(t.Field(i).Name, "CC") {
			list = append(list, i)
		}
	}
	return list
}()

// architectural is the state without what an engine may keep as it likes.
func (r *fuzzRig) architectural() (s x86.State, flags uint64) {
	s = *r.cpu.Registers()
	v := reflect.ValueOf(&s).Elem()
	for _, i := range lazyFields {
		v.Field(i).SetUint(0)
	}
	s.Tmp, s.Page = [12]uint64{}, 0
	s.DF, s.Flags = 0, 0
	return s, r.cpu.EFLAGS()
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (r *fuzzRig) event(what string, port uint64, size int, value uint64) {
	if len(r.events) > 1000 {
		return
	}
	e := fuzzEvent{what: what, port: port, size: size, value: value}
	e.state, e.flags = r.architectural()
	// Within an instruction.
	e.state.IP, e.state.Shadow, e.state.FIgnore = 0, 0, 0
	// Not the page tables: an accessed bit may be set ahead of time.
	e.ram = crc32.Checksum(r.ram[fuzzIDT:fuzzPD64], castagnoli) ^ crc32.Checksum(r.ram[fuzzHandlers64:], castagnoli)
	r.events = append(r.events, e)
	if port >= portIRQ && port < portIRQ+8 {
		r.cpu.SetINTR(true)
	}
}

func (r *fuzzRig) Read(off uint64, size int) uint64 {
	r.event("in", off, size, 0)
	if len(r.events) > r.limit {
		return ^uint64(0)
	}
	return 0
}

func (r *fuzzRig) Write(off uint64, size int, v uint64) {
	if off == portEnd && size == 4 && v == fuzzMagic {
		r.ended = true
		r.vcpu.Kick()
		return
	}
	r.event("out", off, size, v)
}

// run lets the program run, budget instructions at a time (0: freely), and
// says how it ended: by its handlers, a HLT, a shutdown, or not within most
// instructions. Only single steps are counted.
func (r *fuzzRig) run(t testing.TB, most uint64, budget func() int64) (end string, n uint64) {
	begin := time.Now()
	start := r.vcpu.Count()
	for round := 0; ; round++ {
		b := int64(1)
		if !r.ended { // what is behind the last OUT is done in steps
			b = budget()
		}
		if b == 1 { // a kick may come before or behind an instruction
			n = r.vcpu.Count() - start
		}
		switch {
		case r.cpu.Halted() && !r.cpu.Pending():
			if r.ended {
				return "end", n
			}
			return "halted", n
		case n >= most:
			return "goes on", n
		case round&0xff == 0xff && time.Since(begin) > time.Minute:
			return "stuck", n
		}
		r.turn.Add(1)
		exit, err := r.vcpu.Run(b)
		r.turn.Add(1)
		if err != nil {
			t.Fatal(err)
		}
		if exit == accel.Shutdown {
			return "shutdown", n
		}
	}
}

// fuzzOutcome is what a run came to.
type fuzzOutcome struct {
	end    string
	events []fuzzEvent
	state  x86.State
	flags  uint64
	ram    []byte
}

func (r *fuzzRig) outcome(end string) *fuzzOutcome {
	o := &fuzzOutcome{end: end, events: append([]fuzzEvent(nil), r.events...), ram: append([]byte(nil), r.ram...)}
	o.state, o.flags = r.architectural()
	for _, x := range [][2]int{{fuzzPD, fuzzIDT}, {fuzzPD64, fuzzHandlers64}} { // accessed bits: see event
		for i := x[0]; i < x[1]; i += 4 {
			binary.LittleEndian.PutUint32(o.ram[i:], get32(o.ram, i)&^0x20)
		}
	}
	return o
}

// differs says what is different between two outcomes, "" if nothing.
func (a *fuzzOutcome) differs(b *fuzzOutcome) string {
	for i := range min(len(a.events), len(b.events)) {
		if x, y := &a.events[i], &b.events[i]; *x != *y {
			d := fmt.Sprintf("event %d: %s %x (%d bytes, %x), and %s %x (%d bytes, %x)", i, x.what, x.port, x.size, x.value, y.what, y.port, y.size, y.value)
			if x.ram != y.ram {
				d += "; memory"
			}
			return d + stateDiff(&x.state, &y.state, x.flags, y.flags)
		}
	}
	if len(a.events) != len(b.events) || a.end != b.end {
		return fmt.Sprintf("%q after %d events, and %q after %d", a.end, len(a.events), b.end, len(b.events))
	}
	if d := stateDiff(&a.state, &b.state, a.flags, b.flags); d != "" {
		return "at the end" + d
	}
	for i := range a.ram {
		if a.ram[i] != b.ram[i] {
			return fmt.Sprintf("memory at %x: % x, and % x", i, a.ram[i:min(i+16, len(a.ram))], b.ram[i:min(i+16, len(b.ram))])
		}
	}
	return ""
}

func stateDiff(a, b *x86.State, fa, fb uint64) string {
	if *a == *b && fa == fb {
		return ""
	}
	text := func(s *x86.State, f uint64) []string {
		w := []string{fmt.Sprintf("eflags %x", f), fmt.Sprintf("eip %x", s.IP), fmt.Sprintf("shadow %x fignore %x", s.Shadow, s.FIgnore),
			fmt.Sprintf("cr0 %x", s.CR0), fmt.Sprintf("cr2 %x", s.CR2), fmt.Sprintf("cr3 %x", s.CR3), fmt.Sprintf("cr4 %x", s.CR4), fmt.Sprintf("dr %x", s.DR),
			fmt.Sprintf("ldtr %x", s.LDTR), fmt.Sprintf("tr %x", s.TR), fmt.Sprintf("gdtr %x", s.GDTR), fmt.Sprintf("idtr %x", s.IDTR),
			fmt.Sprintf("fcw %x", s.FCW), fmt.Sprintf("fsw %x", s.FSW), fmt.Sprintf("ftw %x", s.FTW), fmt.Sprintf("top %x", s.FTop),
			fmt.Sprintf("fop %x", s.FOP), fmt.Sprintf("fip %x:%x", s.FCS, s.FIP), fmt.Sprintf("fdp %x:%x", s.FDS, s.FDP), fmt.Sprintf("mxcsr %x", s.MXCSR),
			fmt.Sprintf("sysenter %x %x %x efer %x", s.SysenterCS, s.SysenterESP, s.SysenterEIP, s.EFER)}
		for i, n := range []string{"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"} {
			w = append(w, fmt.Sprintf("%s %x", n, s.GPR[i]))
		}
		for i := range s.Seg {
			w = append(w, fmt.Sprintf("%s %x", asmSeg[i], s.Seg[i]))
		}
		for i := range s.FPR {
			w = append(w, fmt.Sprintf("fpr%d %x", i, s.FPR[i]))
		}
		for i := range s.XMM {
			w = append(w, fmt.Sprintf("xmm%d %x %x", i, s.XMM[i], s.YMMH[i]))
		}
		w = append(w, fmt.Sprintf("star %x %x %x, gs %x, aux %x", s.STAR, s.LSTAR, s.SFMASK, s.KernelGSBase, s.TSCAux))
		return w
	}
	var d strings.Builder
	y := text(b, fb)
	for i, x := range text(a, fa) {
		if x != y[i] {
			fmt.Fprintf(&d, "; %s, and %s", x, y[i])
		}
	}
	if d.Len() == 0 {
		return "; hidden state"
	}
	return d.String()
}

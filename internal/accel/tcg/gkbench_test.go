package tcg_test

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rhea/internal/accel"
	"rhea/internal/guest/x86"
)

// bare runs a static i386 Linux program on a processor and nothing else: a
// flat process at CPL 3, whose int 80h comes to us through a port.
type bare struct {
	*rig
	brk  uint64
	out  []byte
	exit int
	done bool
}

const (
	bareRAM  = 256 << 20
	barePD   = 0x1000
	bareGDT  = 0x2000
	bareTSS  = 0x3000
	bareStub = 0x4000
	bareIDT  = 0x6000
)

// syscall does the call that the registers ask for: what gkbench uses.
func (b *bare) syscall() {
	s := b.cpu.Registers()
	ax, bx, cx, dx := &s.GPR[0], s.GPR[3], s.GPR[1], s.GPR[2]
	now := uint64(time.Now().UnixNano())
	switch *ax {
	case 1, 252: // exit, exit_group
		b.exit, b.done = int(bx), true
		b.vcpu.Kick()
	case 4: // write
		if cx+dx <= bareRAM {
			b.out = append(b.out, b.ram[cx:cx+dx]...)
		}
		*ax = dx
	case 45: // brk
		if bx != 0 {
			b.brk = bx
		}
		*ax = b.brk
	case 90, 192: // mmap, mmap2
		n := cx
		if *ax == 90 {
			n = uint64(get32(b.ram, int(bx)+4))
		}
		b.brk = (b.brk + 0xfff) &^ 0xfff
		*ax = b.brk
		b.brk += n
	case 243: // set_thread_area
		base := uint64(get32(b.ram, int(bx)+4))
		put32(b.ram, int(bx), 6)
		binary.LittleEndian.PutUint64(b.ram[bareGDT+6*8:], 0xcff3000000ffff|base&0xffffff<<16|base>>24<<56)
		*ax = 0
	case 78: // gettimeofday
		put32(b.ram, int(bx), uint32(now/1e9))
		put32(b.ram, int(bx)+4, uint32(now%1e9/1000))
		*ax = 0
	case 265: // clock_gettime
		put32(b.ram, int(cx), uint32(now/1e9))
		put32(b.ram, int(cx)+4, uint32(now%1e9))
		*ax = 0
	default:
		*ax = 0
	}
}

func (b *bare) Write(off uint64, size int, v uint64) {
	if off == 0x80 {
		b.syscall()
		return
	}
	b.vector = int(off)
	b.vcpu.Kick()
}

// newBare loads a program.
func newBare(t testing.TB, args ...string) *bare {
	f, err := elf.Open(args[0])
	if err != nil {
		t.Skipf("no guests (RHEA_GUESTS names their folder): %v", err)
	}
	defer f.Close()
	b := &bare{}
	b.rig = newRigAt(t, "max", bareRAM, b)
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			if _, err := p.ReadAt(b.ram[p.Vaddr:p.Vaddr+p.Filesz], 0); err != nil {
				t.Fatal(err)
			}
			b.brk = max(b.brk, p.Vaddr+p.Memsz)
		}
	}
	for i := range 1024 { // all of memory as 4 MiB pages of the user's
		put32(b.ram, barePD+i*4, uint32(i)<<22|0x87)
	}
	for i, d := range []uint64{0, 0xcf9b000000ffff, 0xcf93000000ffff, 0xcffb000000ffff, 0xcff3000000ffff} {
		binary.LittleEndian.PutUint64(b.ram[bareGDT+i*8:], d)
	}
	binary.LittleEndian.PutUint64(b.ram[bareTSS+4:], 0x10<<32|0x9000)
	for v := range 256 {
		h := bareStub + v*8
		copy(b.ram[h:], []byte{0xe6, byte(v), 0xcf}) // OUT v, AL; IRET
		binary.LittleEndian.PutUint64(b.ram[bareIDT+v*8:], uint64(h)|8<<16|0xee00<<32)
	}
	sp := bareRAM - 0x10000
	text := sp + 0x1000
	put32(b.ram, sp, uint32(len(args)))
	for i, a := range args {
		put32(b.ram, sp+4+i*4, uint32(text))
		text += copy(b.ram[text:], a+"\x00")
	}
	b.cpu.SetRegisters(func(s *x86.State) {
		s.CR0, s.CR3, s.CR4 = 0x80010033, barePD, 0x610
		for i := range s.Seg {
			s.Seg[i] = x86.Segment{Sel: 0x23, Limit: 0xffffffff, Attr: 0xcff300}
		}
		s.Seg[x86.CS] = x86.Segment{Sel: 0x1b, Limit: 0xffffffff, Attr: 0xcffb00}
		s.TR = x86.Segment{Sel: 0x28, Base: bareTSS, Limit: 0x67, Attr: 0x8b00}
		s.GDTR, s.IDTR = x86.Table{Base: bareGDT, Limit: 0x37}, x86.Table{Base: bareIDT, Limit: 0x7ff}
		s.FCW, s.FTW, s.MXCSR = 0x37f, 0, 0x1f80 // a new process has what FNINIT leaves, not RESET
		s.GPR[4], s.IP = uint64(sp), f.Entry
	})
	b.cpu.SetEFLAGS(0x202)
	return b
}

func (b *bare) run(t testing.TB) {
	for !b.done {
		exit, err := b.vcpu.Run(0)
		if err != nil || exit != accel.Kicked {
			t.Fatalf("exit %v, %v: %s", exit, err, b.out)
		}
		if !b.done {
			t.Fatalf("exception %d: %s", b.vector, b.out)
		}
	}
	if b.exit != 0 {
		t.Fatalf("exit status %d: %s", b.exit, b.out)
	}
}

func gkbench() string {
	dir := os.Getenv("RHEA_GUESTS")
	if dir == "" {
		dir = "../../../../shared/guests"
	}
	return filepath.Join(dir, "user/gkbench-i486")
}

// BenchmarkGkbench runs the parts of the guests' benchmark program, which
// checks its own results, and reports millions of guest instructions a second.
func BenchmarkGkbench(b *testing.B) { benchEngines(b, benchmarkGkbench) }

func benchmarkGkbench(b *testing.B) {
	for _, part := range []string{"sieve", "mix", "mem", "sort", "call", "int64", "matmul", "fpgen", "conv"} {
		b.Run(part, func(b *testing.B) {
			var n uint64
			for b.Loop() {
				p := newBare(b, gkbench(), "1", part)
				p.run(b)
				n += p.vcpu.Count()
				if testing.Verbose() {
					p.vcpu.Report(os.Stdout)
				}
			}
			b.ReportMetric(float64(n)/1e6/b.Elapsed().Seconds(), "MIPS")
		})
	}
}

// All its checksums, x87 ones among them, are right.
func TestGkbench(t *testing.T) {
	eachEngine(t, func(t *testing.T) { newBare(t, gkbench(), "1").run(t) })
}

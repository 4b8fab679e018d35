package tcg

import (
	"debug/elf"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"rhea/internal/guest"
	"rhea/internal/guest/x86"
	"rhea/internal/mem"
)

// BenchmarkTranslate translates the code of a program from beginning to end,
// unit by unit, and reports how many guest instructions a second that makes:
// through the quick tier, and to machine code.
func BenchmarkTranslate(b *testing.B) {
	b.Run("quick", func(b *testing.B) { benchmarkTranslate(b, false) })
	b.Run("compile", func(b *testing.B) { benchmarkTranslate(b, true) })
}

func benchmarkTranslate(b *testing.B, eager bool) {
	if !Available() {
		b.Skip("no translator for this host")
	}
	dir := os.Getenv("RHEA_GUESTS")
	if dir == "" {
		dir = "../../../../shared/guests"
	}
	f, err := elf.Open(filepath.Join(dir, "user/busybox-i386"))
	if err != nil {
		b.Skipf("no guests (RHEA_GUESTS names their folder): %v", err)
	}
	defer f.Close()
	text, err := f.Section(".text").Data()
	if err != nil {
		b.Fatal(err)
	}
	const at = 0x100000
	model, err := x86.ParseModel("max")
	if err != nil {
		b.Fatal(err)
	}
	root := mem.NewContainer("system", 0)
	region := mem.NewRAM("ram", 8<<20)
	root.Add(0, region)
	copy(region.RAM().Bytes[at:], text)
	var lock sync.Mutex
	cpu := x86.New(x86.Config{Model: model})
	v, err := New(Config{Lock: &lock, Engine: Translator, Eager: eager}).NewCPU(cpu, mem.NewSpace("memory", root, nil))
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	cpu.SetRegisters(func(s *x86.State) {
		s.CR0 = 0x11
		for i := range s.Seg {
			s.Seg[i] = x86.Segment{Sel: 0x10, Limit: 0xffffffff, Attr: 0xcf9300}
		}
		s.Seg[x86.CS] = x86.Segment{Sel: 8, Limit: 0xffffffff, Attr: 0xcf9b00}
	})
	insns, units := 0, 0
	pass := func() {
		k := cpu.Key()
		k.PC = at
		for k.PC < at+uint64(len(text))-64 {
			var u *unit
			var fault *guest.Fault
			if u, _, fault = v.translate(k, maxInsns); fault != nil {
				b.Fatal(fault)
			}
			insns += v.ir.Guest
			units++
			k.PC += u.len
		}
		v.cache.clear()
	}
	pass()
	insns, units = 0, 0
	b.ReportAllocs()
	for b.Loop() {
		pass()
	}
	s := b.Elapsed().Seconds()
	b.ReportMetric(float64(insns)/s/1e6, "Minsn/s")
	b.ReportMetric(s*1e9/float64(insns), "ns/insn")
	b.ReportMetric(float64(units)/float64(b.N), "units/op")
}

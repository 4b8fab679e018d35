package acpi

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func testPC() *PC {
	return &PC{CPUs: 2, RAMBelow: 64 << 20, Serial: [4]bool{true}, Parallel: [3]bool{true}, Floppy: [2]*Floppy{{Type: 4, Tracks: 80, Heads: 2, Sectors: 18}}}
}

// parser walks AML, enough of it for what aml.go makes, and collects the
// objects' paths.
type parser struct {
	t     *testing.T
	b     []byte
	path  []string
	names []string
}

func (p *parser) byte() byte { v := p.b[0]; p.b = p.b[1:]; return v }

func (p *parser) name() string {
	prefix := ""
	for p.b[0] == '\\' || p.b[0] == '^' {
		prefix += string(p.byte())
	}
	n := 1
	switch p.b[0] {
	case 0:
		p.byte()
		return prefix
	case 0x2e:
		n = 2
		p.byte()
	case 0x2f:
		p.byte()
		n = int(p.byte())
	}
	var segs []string
	for range n {
		segs = append(segs, string(p.b[:4]))
		p.b = p.b[4:]
	}
	return prefix + strings.Join(segs, ".")
}

// body takes a PkgLength and returns what it spans.
func (p *parser) body() []byte {
	lead := p.b[0]
	n, extra := int(lead&0x3f), int(lead>>6)
	if extra > 0 {
		n = int(lead & 15)
		for i := range extra {
			n |= int(p.b[1+i]) << (4 + 8*i)
		}
	}
	if n > len(p.b) {
		p.t.Fatalf("package of %d bytes, %d are left (in %s)", n, len(p.b), p.path)
	}
	out := p.b[1+extra : n]
	p.b = p.b[n:]
	return out
}

func (p *parser) in(b []byte, what string, f func(q *parser)) {
	q := &parser{t: p.t, b: b, path: append(p.path[:len(p.path):len(p.path)], what)}
	f(q)
	if len(q.b) != 0 {
		p.t.Fatalf("%d bytes are left in %s", len(q.b), q.path)
	}
	p.names = append(p.names, q.names...)
}

func (p *parser) define(n string) {
	p.names = append(p.names, strings.TrimPrefix(strings.Join(p.path, ".")+"."+n, "."))
}

func (p *parser) terms() {
	for len(p.b) > 0 {
		p.term()
	}
}

func (p *parser) term() {
	op := p.byte()
	switch op {
	case 0x00, 0x01, 0x60, 0x68:
	case 0x0a:
		p.b = p.b[1:]
	case 0x0b:
		p.b = p.b[2:]
	case 0x0c:
		p.b = p.b[4:]
	case 0x0d:
		p.b = p.b[bytes.IndexByte(p.b, 0)+1:]
	case 0x08:
		p.define(p.name())
		p.term()
	case 0x10:
		b := p.body()
		q := &parser{t: p.t, b: b}
		n := q.name()
		p.in(q.b, n, (*parser).terms)
	case 0x11:
		p.in(p.body(), "buffer", func(q *parser) {
			q.term()
			if q.b[len(q.b)-2] != 0x79 && !strings.HasPrefix(q.path[len(q.path)-2], "FDC") { // but for _FDE
				p.t.Errorf("buffer without end tag in %s", q.path)
			}
			q.b = nil
		})
	case 0x12:
		p.in(p.body(), "package", func(q *parser) {
			n := int(q.byte())
			for range n {
				q.term()
			}
		})
	case 0x14:
		b := p.body()
		q := &parser{t: p.t, b: b}
		n := q.name()
		p.define(n + "()")
		q.byte()
		p.in(q.b, n, (*parser).terms)
	case 0x70:
		p.term()
		p.term()
	case 0x7b, 0x7d:
		p.term()
		p.term()
		p.term()
	case 0x8a:
		p.term()
		p.term()
		p.define(p.name())
	case 0x92, 0xa4:
		p.term()
	case 0xa0:
		p.in(p.body(), "if", func(q *parser) { q.term(); q.terms() })
	case 0x5b:
		p.extended()
	default:
		if op == '\\' || op == '^' || op >= 'A' && op <= 'Z' || op == '_' || op == 0x2e || op == 0x2f {
			p.b = append([]byte{op}, p.b...)
			p.name()
			return
		}
		p.t.Fatalf("opcode %#x in %s", op, p.path)
	}
}

func (p *parser) extended() {
	switch op := p.byte(); op {
	case 0x80:
		p.define(p.name())
		p.byte()
		p.term()
		p.term()
	case 0x81:
		p.in(p.body(), "field", func(q *parser) {
			q.name()
			q.byte()
			for len(q.b) > 0 {
				q.define(q.name())
				q.byte()
			}
		})
	case 0x82, 0x83:
		b := p.body()
		q := &parser{t: p.t, b: b}
		n := q.name()
		p.define(n)
		if op == 0x83 {
			q.b = q.b[6:]
		}
		p.in(q.b, n, (*parser).terms)
	default:
		p.t.Fatalf("opcode 5b %#x", op)
	}
}

func TestAML(t *testing.T) {
	p := &parser{t: t, b: testPC().dsdt()}
	p.terms()
	all := strings.Join(p.names, "\n")
	for _, want := range []string{
		`\_SB_.PCI0`, `\_SB_.PCI0._PRT`, `\_SB_.LNKA._SRS()`, `\_SB_.LNKD._CRS()`, `_S5_`, `\_PR_.CP01`,
		`\_SB_.PCI0.ISA_.COM1._CRS`, `\_SB_.PCI0.ISA_.field.PRQ3`,
	} {
		if !strings.Contains(all+"\n", want+"\n") {
			t.Errorf("%s is not defined; there are\n%s", want, all)
		}
	}
	if strings.Contains(all, "COM2") {
		t.Error("a serial port that is not there")
	}
}

func TestResources(t *testing.T) {
	if got := irqFlags(13); !bytes.Equal(got, []byte{0x22, 0x00, 0x20}) {
		t.Errorf("IRQ 13: % x", got)
	}
	if got := eisaID("PNP0A03"); !bytes.Equal(got, []byte{0x0c, 0x41, 0xd0, 0x0a, 0x03}) {
		t.Errorf("PNP0A03: % x", got)
	}
	for n, want := range map[int]int{1: 3, 0x3e: 0x40, 0x3f: 0x42, 0xffd: 0x1000, 0xffe: 0x1002} {
		if got := packaged(term{0x11}, make(term, n)); len(got) != want {
			t.Errorf("package of %#x bytes has %#x", n, len(got))
		}
	}
}

// run does what firmware does with the script.
func run(t *testing.T, files []File) (mem []byte, rsdp int) {
	t.Helper()
	data, at := map[string][]byte{}, map[string]int{}
	for _, f := range files {
		data[f.Name] = f.Data
	}
	script := data[loaderFile]
	str := func(b []byte) string { return string(b[:bytes.IndexByte(b, 0)]) }
	le := binary.LittleEndian
	mem = make([]byte, 4096) // nothing lies at 0
	for i := 0; i < len(script); i += 128 {
		c := script[i+4 : i+128]
		switch le.Uint32(script[i:]) {
		case cmdAllocate:
			align := int(le.Uint32(c[56:]))
			for len(mem)%align != 0 {
				mem = append(mem, 0)
			}
			at[str(c)] = len(mem)
			mem = append(mem, data[str(c)]...)
		case cmdPointer:
			p := mem[at[str(c)]+int(le.Uint32(c[112:])):]
			if c[116] != 4 {
				t.Fatalf("pointer of %d bytes", c[116])
			}
			le.PutUint32(p, le.Uint32(p)+uint32(at[str(c[56:])]))
		case cmdChecksum:
			b := mem[at[str(c)]:]
			sumAt, start, n := le.Uint32(c[56:]), le.Uint32(c[60:]), le.Uint32(c[64:])
			var sum byte
			for _, v := range b[start : start+n] {
				sum += v
			}
			b[sumAt] -= sum
		default:
			t.Fatalf("command %d", le.Uint32(script[i:]))
		}
	}
	return mem, at[rsdpFile]
}

func TestTables(t *testing.T) {
	le := binary.LittleEndian
	m, at := run(t, testPC().Files())
	sum := func(b []byte) (s byte) {
		for _, v := range b {
			s += v
		}
		return s
	}
	rsdp := m[at : at+20]
	if string(rsdp[:8]) != "RSD PTR " || sum(rsdp) != 0 {
		t.Fatalf("RSDP % x", rsdp)
	}
	get := func(at uint32, sig string) []byte {
		t.Helper()
		b := m[at:]
		if string(b[:4]) != sig {
			t.Fatalf("%q at %#x, want %s", b[:4], at, sig)
		}
		b = b[:le.Uint32(b[4:])]
		if sig != "FACS" && sum(b) != 0 {
			t.Errorf("checksum of %s", sig)
		}
		return b
	}
	rsdt := get(le.Uint32(rsdp[16:]), "RSDT")
	fadt := get(le.Uint32(rsdt[36:]), "FACP")
	madt := get(le.Uint32(rsdt[40:]), "APIC")
	if facs := le.Uint32(fadt[36:]); facs%64 != 0 {
		t.Errorf("FACS at %#x", facs)
	}
	get(le.Uint32(fadt[36:]), "FACS")
	dsdt := get(le.Uint32(fadt[40:]), "DSDT")
	if !bytes.Equal(dsdt[36:], testPC().dsdt()) {
		t.Error("DSDT has another body")
	}
	if len(fadt) != 116 || le.Uint16(fadt[46:]) != 9 || le.Uint32(fadt[56:]) != 0x600 || le.Uint32(fadt[76:]) != 0x608 || fadt[108] != 0x32 {
		t.Errorf("FADT % x", fadt)
	}
	for b := madt[44:]; len(b) > 0; b = b[b[1]:] {
		if b[1] == 0 {
			t.Fatal("MADT entry of no length")
		}
	}
}

// TestIASL has the reference compiler read the DSDT, where it is installed.
func TestIASL(t *testing.T) {
	iasl, err := exec.LookPath("iasl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("iasl is missing although the package acpica-tools should be installed (CI=true)")
		}
		t.Skip("iasl is not installed (Debian: acpica-tools)")
	}
	m, _ := run(t, testPC().Files())
	i := bytes.Index(m, []byte("DSDT"))
	dir := t.TempDir()
	n := int(binary.LittleEndian.Uint32(m[i+4:]))
	if err := os.WriteFile(filepath.Join(dir, "d.aml"), m[i:i+n], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-d", "d.aml"}, {"-p", "again", "d.dsl"}} {
		c := exec.Command(iasl, args...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil || bytes.Contains(out, []byte("Error ")) {
			t.Fatalf("iasl %v: %v\n%s", args, err, out)
		}
	}
}

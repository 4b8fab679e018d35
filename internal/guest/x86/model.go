package x86

import (
	"fmt"
	"strings"

	"rhea/internal/prop"
)

// Model is a kind of processor.
type Model struct {
	Name   string
	Title  string // one line of -cpu help
	Vendor string // twelve characters
	Family int
	Model  int
	Step   int

	Features Features
	Level    uint32 // the highest basic leaf of CPUID
	XLevel   uint32 // the highest extended leaf, 0 = none
	Brand    string // leaves 80000002H to 80000004H
	// Cache2 is leaf 2 (EAX, EBX, ECX, EDX); Cache4 are the subleaves of leaf 4.
	Cache2 [4]uint32
	Cache4 [][4]uint32
}

const (
	vendorIntel = "GenuineIntel"
	vendorAMD   = "AuthenticAMD"
)

// Models lists the processors there are, as -cpu help does.
func Models() []Model {
	// 32 KiB L1D and L1I of 8 ways, 64-byte lines, and L2: Core Duo 2 MiB of 8
	// ways, Atom 512 KiB of 8 ways (24 KiB L1D of 6).
	core4 := [][4]uint32{
		{0x21, 0x01c0003f, 63, 1}, {0x22, 0x01c0003f, 63, 1}, {0x43, 0x01c0003f, 4095, 1},
	}
	atom4 := [][4]uint32{
		{0x21, 0x0140003f, 63, 1}, {0x22, 0x01c0003f, 63, 1}, {0x43, 0x01c0003f, 1023, 1},
	}
	return []Model{
		{Name: "486", Title: "Intel 486DX4", Vendor: vendorIntel, Family: 4, Model: 8, Step: 0,
			Features: featFPU | featVME | featPSE, Level: 1},
		{Name: "pentium", Title: "Intel Pentium with MMX", Vendor: vendorIntel, Family: 5, Model: 4, Step: 3,
			Features: featPentium, Level: 1},
		{Name: "pentium2", Title: "Intel Pentium II", Vendor: vendorIntel, Family: 6, Model: 5, Step: 2,
			Features: featPentium2, Level: 2, Cache2: [4]uint32{0x03020101, 0, 0, 0x0c040843}},
		{Name: "pentium3", Title: "Intel Pentium III", Vendor: vendorIntel, Family: 6, Model: 7, Step: 3,
			Features: featPentium3, Level: 2, Cache2: [4]uint32{0x03020101, 0, 0, 0x0c040843}},
		{Name: "qemu32", Title: "generic 32-bit processor, as QEMU's", Vendor: vendorIntel, Family: 6, Model: 6, Step: 3,
			Features: featQEMU32, Level: 4, XLevel: 0x80000004, Brand: "QEMU Virtual CPU version 2.5+",
			Cache2: [4]uint32{1, 0, 0, 0x002c307d}, Cache4: core4},
		{Name: "n270", Title: "Intel Atom N270", Vendor: vendorIntel, Family: 6, Model: 28, Step: 2,
			Features: featAtom, Level: 10, XLevel: 0x80000008, Brand: "Intel(R) Atom(TM) CPU N270   @ 1.60GHz",
			Cache2: [4]uint32{0x4fba5901, 0x0e3080c0, 0, 0}, Cache4: atom4},
		{Name: "coreduo", Title: "Intel Core Duo T2600", Vendor: vendorIntel, Family: 6, Model: 14, Step: 8,
			Features: featCore, Level: 10, XLevel: 0x80000008, Brand: "Genuine Intel(R) CPU           T2600  @ 2.16GHz",
			Cache2: [4]uint32{0x02b3b001, 0xf0, 0, 0x2c04307d}, Cache4: core4},
		{Name: "athlon", Title: "AMD Athlon, without 3DNow!", Vendor: vendorAMD, Family: 6, Model: 2, Step: 3,
			Features: featPentium3, Level: 1, XLevel: 0x80000008, Brand: "AMD Athlon(tm) Processor"},
		{Name: "max", Title: "everything that is built", Vendor: vendorIntel, Family: 6, Model: 13, Step: 8,
			Features: featMax, Level: 13, XLevel: 0x80000008, Brand: "rhea virtual CPU",
			Cache2: [4]uint32{0x02b3b001, 0xf0, 0, 0x2c04307d}, Cache4: core4},
	}
}

// Models64 lists the 64-bit processors.
func Models64() []Model {
	core4 := [][4]uint32{
		{0x21, 0x01c0003f, 63, 1}, {0x22, 0x01c0003f, 63, 1}, {0x43, 0x01c0003f, 4095, 1},
	}
	cache2 := [4]uint32{1, 0, 0, 0x002c307d}
	return []Model{
		{Name: "qemu64", Title: "generic 64-bit processor, as QEMU's", Vendor: vendorAMD, Family: 15, Model: 107, Step: 1,
			Features: feat64, Level: 13, XLevel: 0x8000000a, Brand: "QEMU Virtual CPU version 2.5+", Cache2: cache2, Cache4: core4},
		{Name: "kvm64", Title: "64-bit processor that most hosts have", Vendor: vendorIntel, Family: 15, Model: 6, Step: 1,
			Features: feat64 &^ featLAHF, Level: 13, XLevel: 0x80000008, Brand: "Common KVM processor", Cache2: cache2, Cache4: core4},
		{Name: "Nehalem", Title: "Intel Core i7 9xx (x86-64-v2)", Vendor: vendorIntel, Family: 6, Model: 26, Step: 3,
			Features: feat64v2, Level: 11, XLevel: 0x80000008, Brand: "Intel Core i7 9xx (Nehalem Class Core i7)",
			Cache2: cache2, Cache4: core4},
		{Name: "Haswell", Title: "Intel Core (Haswell), as far as it is built", Vendor: vendorIntel, Family: 6, Model: 60, Step: 4,
			Features: featHaswell, Level: 13, XLevel: 0x80000008, Brand: "Intel Core Processor (Haswell)", Cache2: cache2, Cache4: core4},
		{Name: "max", Title: "everything that is built", Vendor: vendorIntel, Family: 6, Model: 60, Step: 4,
			Features: featMax64, Level: 13, XLevel: 0x80000008, Brand: "rhea virtual CPU", Cache2: cache2, Cache4: core4},
	}
}

// ParseModel makes a model of -cpu's argument: a name, and features to add
// and to take away: "pentium3,-sse", "486,+tsc", "max,nx=off".
func ParseModel(arg string) (*Model, error) { return parseModel(arg, Models()) }

// ParseModel64 is ParseModel for a machine with a 64-bit processor, which may
// as well have a 32-bit one.
func ParseModel64(arg string) (*Model, error) {
	list := Models64()
	for _, m := range Models() {
		if m.Name != "max" {
			list = append(list, m)
		}
	}
	return parseModel(arg, list)
}

func parseModel(arg string, models []Model) (*Model, error) {
	parts := strings.Split(arg, ",")
	var m *Model
	names := make([]string, 0, len(models))
	for i := range models {
		names = append(names, models[i].Name)
		if strings.EqualFold(models[i].Name, parts[0]) {
			m = &models[i]
		}
	}
	if m == nil {
		return nil, fmt.Errorf("no CPU model %q%s", parts[0], nearest(parts[0], names))
	}
	for _, p := range parts[1:] {
		if err := m.setFeature(p); err != nil {
			return nil, fmt.Errorf("CPU model %q: %w", arg, err)
		}
	}
	needs := dependsOn()
	for _, n := range featureNames() {
		if need := needs[n.feature]; m.has(n.feature) && !m.has(need) {
			if strings.Contains(arg, "+"+n.name) || strings.Contains(arg, n.name+"=on") {
				return nil, fmt.Errorf("CPU model %q: feature %s cannot be without %s", arg, n.name, need&^m.Features)
			}
			m.Features &^= n.feature
		}
	}
	return m, nil
}

func (m *Model) setFeature(p string) error {
	name, on := p, true
	switch {
	case strings.HasPrefix(p, "+"):
		name = p[1:]
	case strings.HasPrefix(p, "-"):
		name, on = p[1:], false
	default:
		var value string
		var ok bool
		name, value, ok = strings.Cut(p, "=")
		if ok && value != "on" && value != "off" {
			return fmt.Errorf("%q: a feature is on or off", p)
		}
		on = value != "off"
	}
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	var names []string
	for _, n := range featureNames() {
		if n.name == name {
			m.Features &^= n.feature
			if on {
				m.Features |= n.feature
			}
			return nil
		}
		names = append(names, n.name)
	}
	for _, n := range notBuilt() {
		if n != name {
			continue
		}
		if on {
			return fmt.Errorf("feature %q is not built", name)
		}
		return nil
	}
	return fmt.Errorf("no feature %q%s", name, nearest(name, names))
}

// nearest is a hint at the name that was meant, if one is near.
func nearest(s string, names []string) string {
	if n := prop.Nearest(s, names); n != "" {
		return fmt.Sprintf(" (did you mean %q?)", n)
	}
	return ""
}

func (m *Model) has(f Features) bool { return m.Features&f == f }

// signature is leaf 1's EAX, and what RESET leaves in EDX.
func (m *Model) signature() uint32 {
	return uint32(min(m.Family, 15)<<8 | m.Model&15<<4 | m.Model>>4<<16 | m.Step)
}

// hasCR reports whether there is a control register n; processors before the
// Pentium (and its late cousins) have no CR4.
func (m *Model) hasCR(n int) bool {
	return n == 0 || n == 2 || n == 3 || n == 4 && m.cr4Bits() != 0 || n == 8 && m.has(featLM)
}

// cr4Bits are the bits of CR4 that can be set.
func (m *Model) cr4Bits() uint64 {
	var bits uint64
	for _, x := range [...]struct {
		f    Features
		bits uint64
	}{
		{featVME, cr4VME | cr4PVI}, {featTSC, cr4TSD}, {featDE, cr4DE}, {featPSE, cr4PSE}, {featPAE, cr4PAE},
		{featMCE, cr4MCE}, {featPGE, cr4PGE}, {featFXSR, cr4OSFXSR}, {featSSE, cr4OSXMMEXCPT},
		{featXSAVE, cr4OSXSAVE}, {featUMIP, cr4UMIP}, {featFSGSBASE, cr4FSGSBASE}, {featPCID, cr4PCIDE}, {featSMEP, cr4SMEP}, {featSMAP, cr4SMAP},
	} {
		if m.has(x.f) {
			bits |= x.bits
		}
	}
	if m.hasPMC() {
		bits |= cr4PCE
	}
	return bits
}

// hasPMC reports whether there are RDPMC and CR4.PCE.
func (m *Model) hasPMC() bool { return m.Family >= 6 && m.has(featMSR) }

// PhysBits is the width of physical addresses (SDM vol. 3, 4.1.4).
func (m *Model) PhysBits() int {
	switch {
	case m.has(featLM):
		return 40
	case m.Features&(featPAE|featPSE36) != 0:
		return 36
	}
	return 32
}

func (m *Model) physMask() uint64 { return 1<<m.PhysBits() - 1 }

// cpuid is CPUID: EAX is the leaf, ECX the subleaf (SDM vol. 2).
func (c *CPU) cpuid() {
	r := c.cpuidLeaf(uint32(c.s.GPR[rAX]), uint32(c.s.GPR[rCX]))
	for i, reg := range [...]int{rAX, rBX, rCX, rDX} {
		c.s.GPR[reg] = uint64(r[i])
	}
}

// cpuidLeaf returns EAX, EBX, ECX and EDX.
func (c *CPU) cpuidLeaf(leaf, sub uint32) [4]uint32 {
	m := c.model
	if leaf>>31 != 0 && leaf <= m.XLevel {
		return m.extendedLeaf(leaf)
	}
	if leaf > m.Level {
		leaf = m.Level // what Intel's do beyond their highest leaf
	}
	switch leaf {
	case 0:
		return [4]uint32{m.Level, chars(m.Vendor, 0), chars(m.Vendor, 8), chars(m.Vendor, 4)}
	case 1:
		edx := m.Features.word(leaf1EDX)
		if c.apic == nil || c.apic.BaseMSR()&apicEnable == 0 {
			edx &^= uint32(featAPIC)
		}
		var ebx uint32
		if m.has(featCLFSH) {
			ebx |= 64 / 8 << 8
		}
		if c.apic != nil {
			ebx |= uint32(c.apicID()) << 24
		}
		ecx := m.Features.word(leaf1ECX)
		if c.s.CR4&cr4OSXSAVE != 0 {
			ecx |= 1 << 27
		}
		return [4]uint32{m.signature(), ebx, ecx, edx}
	case 2:
		return m.Cache2
	case 4:
		if int64(sub) < int64(len(m.Cache4)) {
			return m.Cache4[sub]
		}
	case 0xd:
		if m.has(featXSAVE) {
			return c.xsaveLeaf(sub)
		}
	case 7:
		if sub == 0 {
			return [4]uint32{0, m.Features.word(leaf7EBX), m.Features.word(leaf7ECX), 0}
		}
	}
	return [4]uint32{}
}

// apicID is the initial APIC ID, if the APIC tells.
func (c *CPU) apicID() uint8 {
	if a, ok := c.apic.(interface{ ID() uint8 }); ok {
		return a.ID()
	}
	return 0
}

func (m *Model) extendedLeaf(leaf uint32) [4]uint32 {
	switch leaf {
	case 0x80000000:
		r := [4]uint32{m.XLevel}
		if m.Vendor == vendorAMD {
			r[1], r[2], r[3] = chars(m.Vendor, 0), chars(m.Vendor, 8), chars(m.Vendor, 4)
		}
		return r
	case 0x80000001:
		r := [4]uint32{0, 0, m.Features.word(leafX1ECX), m.Features.word(leafX1EDX)}
		if m.Vendor == vendorAMD {
			r[0] = m.signature() + 1<<8
			r[3] |= m.Features.word(leaf1EDX) & 0x0183f3ff
		}
		return r
	case 0x80000002, 0x80000003, 0x80000004:
		at := int(leaf-0x80000002) * 16
		return [4]uint32{chars(m.Brand, at), chars(m.Brand, at+4), chars(m.Brand, at+8), chars(m.Brand, at+12)}
	case 0x80000005:
		if m.Vendor == vendorAMD { // L1: 64 KiB each, 2 ways
			return [4]uint32{0x01ff01ff, 0x01ff01ff, 0x40020140, 0x40020140}
		}
	case 0x80000006:
		switch {
		case m.Vendor == vendorAMD:
			return [4]uint32{0, 0x42004200, 0x02008140, 0}
		case len(m.Cache4) == 3: // L2: KiB, 8 ways, 64-byte lines
			return [4]uint32{0, 0, (m.Cache4[2][2]+1)*8*64>>10<<16 | 0x6040, 0}
		}
	case 0x80000008:
		linear := uint32(32)
		if m.has(featLM) {
			linear = 48
		}
		return [4]uint32{uint32(m.PhysBits()) | linear<<8}
	}
	return [4]uint32{}
}

// chars returns four characters of s as CPUID has them; beyond its end are NULs.
func chars(s string, at int) uint32 {
	var v uint32
	for i := range 4 {
		if at+i < len(s) {
			v |= uint32(s[at+i]) << (8 * i)
		}
	}
	return v
}

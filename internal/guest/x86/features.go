package x86

import (
	"math/bits"
	"strings"
	"sync"
)

// Features is a set of what a processor can do. Bits are as in leaf 1's EDX of
// CPUID, as far as that has them; featureNames says where CPUID has the others.
type Features uint64

// The features that are built.
const (
	featFPU   Features = 1 << 0
	featVME   Features = 1 << 1
	featDE    Features = 1 << 2
	featPSE   Features = 1 << 3
	featTSC   Features = 1 << 4
	featMSR   Features = 1 << 5
	featPAE   Features = 1 << 6
	featMCE   Features = 1 << 7
	featCX8   Features = 1 << 8
	featAPIC  Features = 1 << 9
	featSEP   Features = 1 << 11
	featMTRR  Features = 1 << 12
	featPGE   Features = 1 << 13
	featMCA   Features = 1 << 14
	featCMOV  Features = 1 << 15
	featPAT   Features = 1 << 16
	featPSE36 Features = 1 << 17
	featCLFSH Features = 1 << 19
	featMMX   Features = 1 << 23
	featFXSR  Features = 1 << 24
	featSSE   Features = 1 << 25
	featSSE2  Features = 1 << 26

	featNX        Features = 1 << 32
	featSSE3      Features = 1 << 33
	featPCLMULQDQ Features = 1 << 34
	featSSSE3     Features = 1 << 35
	featSSE41     Features = 1 << 36
	featSSE42     Features = 1 << 37
	featMOVBE     Features = 1 << 38
	featPOPCNT    Features = 1 << 39
	featAES       Features = 1 << 40
	featLZCNT     Features = 1 << 41
	featTZCNT     Features = 1 << 42 // of BMI1, which includes it
	featLM        Features = 1 << 43
	featSYSCALL   Features = 1 << 44
	featCX16      Features = 1 << 45
	featFSGSBASE  Features = 1 << 46
	featRDTSCP    Features = 1 << 47
	featPDPE1GB   Features = 1 << 48
	featSMEP      Features = 1 << 49
	featSMAP      Features = 1 << 50
	featUMIP      Features = 1 << 51
	featPCID      Features = 1 << 52
	featINVPCID   Features = 1 << 53
	featX2APIC    Features = 1 << 54
	featLAHF      Features = 1 << 55
	featRDRAND    Features = 1 << 56
	featRDSEED    Features = 1 << 57
	featXSAVE     Features = 1 << 58
	featXSAVEOPT  Features = 1 << 59
	featAVX       Features = 1 << 60
	featAVX2      Features = 1 << 61
	featF16C      Features = 1 << 62
	featFMA       Features = 1 << 63

	// Bits that leaf 1's EDX has for what is not built.
	featBMI1 Features = 1 << 18
	featBMI2 Features = 1 << 20
	featADX  Features = 1 << 21
	featSHA  Features = 1 << 22
	featERMS Features = 1 << 27

	featNewer = featXSAVE | featXSAVEOPT | featAVX | featAVX2 | featF16C | featFMA | featBMI1 | featBMI2 | featADX | featSHA | featERMS

	featPentium  = featFPU | featVME | featDE | featPSE | featTSC | featMSR | featMCE | featCX8 | featMMX
	featPentium2 = featPentium | featPAE | featSEP | featMTRR | featPGE | featMCA | featCMOV |
		featPAT | featPSE36 | featFXSR | featAPIC
	featPentium3 = featPentium2 | featSSE
	featQEMU32   = featFPU | featDE | featPSE | featTSC | featMSR | featPAE | featMCE | featCX8 |
		featAPIC | featSEP | featPGE | featCMOV | featPAT | featMMX | featFXSR | featSSE | featSSE2 | featSSE3
	featCore = featQEMU32 | featVME | featMTRR | featMCA | featCLFSH | featNX
	featAtom = featCore | featSSSE3 | featMOVBE
	featMax  = featPentium3 | featAtom | featPCLMULQDQ | featSSE41 | featSSE42 | featPOPCNT | featAES |
		featLZCNT | featTZCNT | featRDRAND | featRDSEED | featSMEP | featSMAP | featUMIP | featNewer

	// The 64-bit processors. feat64v2 is what is called x86-64-v2.
	feat64      = featCore | featPSE36 | featLM | featSYSCALL | featNX | featCX16 | featLAHF
	feat64v2    = feat64 | featSSSE3 | featSSE41 | featSSE42 | featPOPCNT
	featMax64   = featMax | feat64v2 | featFSGSBASE | featRDTSCP | featPDPE1GB | featPCID | featINVPCID | featX2APIC
	featHaswell = feat64v2 | featAES | featPCLMULQDQ | featMOVBE | featLZCNT | featTZCNT | featRDRAND | featFSGSBASE |
		featRDTSCP | featPDPE1GB | featSMEP | featPCID | featINVPCID | featX2APIC | featNewer&^(featADX|featSHA)
)

// cpuidWord is a register of a leaf that holds features (SDM vol. 2, CPUID).
type cpuidWord uint8

const (
	noWord cpuidWord = iota // CPUID does not tell
	leaf1EDX
	leaf1ECX
	leaf7EBX
	leaf7ECX
	leafD1EAX
	leafX1EDX // 80000001H
	leafX1ECX
)

// featureName gives a feature its name on the command line and its place in
// CPUID.
type featureName struct {
	feature Features
	name    string
	word    cpuidWord
	bit     uint8
	alias   bool // the feature has had a name before
}

var featureNames = sync.OnceValue(newFeatureNames)

func newFeatureNames() []featureName {
	names := []featureName{
		{feature: featNX, name: "nx", word: leafX1EDX, bit: 20},
		{feature: featSSE3, name: "sse3", word: leaf1ECX, bit: 0},
		{feature: featSSE3, name: "pni", alias: true},
		{feature: featPCLMULQDQ, name: "pclmulqdq", word: leaf1ECX, bit: 1},
		{feature: featSSSE3, name: "ssse3", word: leaf1ECX, bit: 9},
		{feature: featSSE41, name: "sse4.1", word: leaf1ECX, bit: 19},
		{feature: featSSE41, name: "sse4-1", alias: true},
		{feature: featSSE42, name: "sse4.2", word: leaf1ECX, bit: 20},
		{feature: featSSE42, name: "sse4-2", alias: true},
		{feature: featMOVBE, name: "movbe", word: leaf1ECX, bit: 22},
		{feature: featPOPCNT, name: "popcnt", word: leaf1ECX, bit: 23},
		{feature: featAES, name: "aes", word: leaf1ECX, bit: 25},
		{feature: featLZCNT, name: "abm", word: leafX1ECX, bit: 5},
		{feature: featLZCNT, name: "lzcnt", alias: true},
		{feature: featTZCNT, name: "tzcnt"},
		{feature: featLM, name: "lm", word: leafX1EDX, bit: 29},
		{feature: featSYSCALL, name: "syscall", word: leafX1EDX, bit: 11},
		{feature: featCX16, name: "cx16", word: leaf1ECX, bit: 13},
		{feature: featFSGSBASE, name: "fsgsbase", word: leaf7EBX, bit: 0},
		{feature: featRDTSCP, name: "rdtscp", word: leafX1EDX, bit: 27},
		{feature: featPDPE1GB, name: "pdpe1gb", word: leafX1EDX, bit: 26},
		{feature: featSMEP, name: "smep", word: leaf7EBX, bit: 7},
		{feature: featSMAP, name: "smap", word: leaf7EBX, bit: 20},
		{feature: featUMIP, name: "umip", word: leaf7ECX, bit: 2},
		{feature: featPCID, name: "pcid", word: leaf1ECX, bit: 17},
		{feature: featINVPCID, name: "invpcid", word: leaf7EBX, bit: 10},
		{feature: featX2APIC, name: "x2apic", word: leaf1ECX, bit: 21},
		{feature: featLAHF, name: "lahf-lm", word: leafX1ECX, bit: 0},
		{feature: featXSAVE, name: "xsave", word: leaf1ECX, bit: 26},
		{feature: featXSAVEOPT, name: "xsaveopt", word: leafD1EAX, bit: 0},
		{feature: featAVX, name: "avx", word: leaf1ECX, bit: 28},
		{feature: featAVX2, name: "avx2", word: leaf7EBX, bit: 5},
		{feature: featF16C, name: "f16c", word: leaf1ECX, bit: 29},
		{feature: featFMA, name: "fma", word: leaf1ECX, bit: 12},
		{feature: featBMI1, name: "bmi1", word: leaf7EBX, bit: 3},
		{feature: featBMI2, name: "bmi2", word: leaf7EBX, bit: 8},
		{feature: featADX, name: "adx", word: leaf7EBX, bit: 19},
		{feature: featSHA, name: "sha-ni", word: leaf7EBX, bit: 29},
		{feature: featERMS, name: "erms", word: leaf7EBX, bit: 9},
		{feature: featRDRAND, name: "rdrand", word: leaf1ECX, bit: 30},
		{feature: featRDSEED, name: "rdseed", word: leaf7EBX, bit: 18},
	}
	var edx []featureName
	for _, n := range []struct {
		feature Features
		name    string
	}{
		{featFPU, "fpu"}, {featVME, "vme"}, {featDE, "de"}, {featPSE, "pse"}, {featTSC, "tsc"},
		{featMSR, "msr"}, {featPAE, "pae"}, {featMCE, "mce"}, {featCX8, "cx8"}, {featAPIC, "apic"},
		{featSEP, "sep"}, {featMTRR, "mtrr"}, {featPGE, "pge"}, {featMCA, "mca"}, {featCMOV, "cmov"},
		{featPAT, "pat"}, {featPSE36, "pse36"}, {featCLFSH, "clflush"},
		{featMMX, "mmx"}, {featFXSR, "fxsr"}, {featSSE, "sse"}, {featSSE2, "sse2"},
	} {
		bit := uint8(bits.TrailingZeros64(uint64(n.feature)))
		edx = append(edx, featureName{feature: n.feature, name: n.name, word: leaf1EDX, bit: bit})
	}
	edx = append(edx, featureName{feature: featCLFSH, name: "clfsh", alias: true})
	return append(edx, names...)
}

// word returns a register of CPUID.
func (f Features) word(w cpuidWord) uint32 {
	var v uint32
	for _, n := range featureNames() {
		if n.word == w && !n.alias && f&n.feature != 0 {
			v |= 1 << n.bit
		}
	}
	return v
}

// notBuilt are the names of features that processors have and this one does
// not: they can be switched off, but not on.
func notBuilt() []string {
	return []string{
		"pn", "ds", "acpi", "ss", "ht", "tm", "pbe", "ia64",
		"monitor", "ds-cpl", "vmx", "smx", "est", "tm2", "cid",
		"xtpr", "pdcm", "dca",
		"tsc-deadline", "osxsave", "hypervisor",
		"mmxext", "fxsr-opt", "3dnow", "3dnowext",
		"svm", "sse4a", "clflushopt", "clwb", "pku", "la57", "kvm",
	}
}

// dependsOn lists what a feature cannot be without.
func dependsOn() map[Features]Features {
	return map[Features]Features{
		featAPIC: featMSR, featMTRR: featMSR, featMCA: featMSR, featSEP: featMSR, featNX: featMSR | featPAE,
		featSSE: featFXSR, featSSE2: featSSE, featMMX: featFPU, featFXSR: featFPU,
		featSSE3: featSSE2, featSSSE3: featSSE3, featSSE41: featSSSE3, featSSE42: featSSE41,
		featPCLMULQDQ: featSSE2, featAES: featSSE2,
		featLM: featPAE | featFXSR | featSSE2 | featMSR | featCX8 | featCMOV, featSYSCALL: featLM, featCX16: featLM, featFSGSBASE: featLM,
		featPDPE1GB: featLM, featPCID: featLM, featINVPCID: featPCID, featX2APIC: featAPIC, featLAHF: featLM,
		featRDTSCP: featTSC | featMSR, featXSAVE: featFXSR, featXSAVEOPT: featXSAVE, featAVX: featXSAVE | featSSE42, featAVX2: featAVX,
		featF16C: featAVX, featFMA: featAVX, featBMI1: featTZCNT, featSHA: featSSE2,
	}
}

// String lists the features of a set.
func (f Features) String() string {
	var on []string
	for _, n := range featureNames() {
		if f&n.feature != 0 && !n.alias {
			on = append(on, n.name)
		}
	}
	return strings.Join(on, " ")
}

// Has reports whether the processor has what a line of the opcode maps asks
// for: a feature by its CPUID name, or a generation.
func (m *Model) Has(name string) bool {
	switch name {
	case "486":
		return m.Family >= 4
	case "p6":
		return m.Family >= 6
	case "cpuid":
		return true
	case "smm":
		return true // refused outside SMM
	case "3dnowprefetch":
		return m.Family >= 6
	}
	for _, f := range featureNames() {
		if f.name == name {
			return m.has(f.feature)
		}
	}
	panic("BUG: x86: no feature " + name)
}

// encodable returns which of the things that encodings ask for a processor
// has, a bit each.
func (m *Model) encodable() (set uint64) {
	for i, name := range theLines().features {
		if name == "" || m.Has(name) {
			set |= 1 << i
		}
	}
	return set
}

// has reports whether the processor has the encoding.
func (c *CPU) has(e *encoding) bool { return c.encodable>>e.feature&1 != 0 }

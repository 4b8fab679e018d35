//go:build linux && amd64

package linux

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"rhea/internal/accel/tcg"
)

// words is memory as words.
func words(b []byte) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
}

// learn has the processor make machine code of what the thread's children have
// told of, before it has one more. Without memory for it nothing is learnt.
func (t *Thread) learn() {
	if t.lesson == nil {
		t.lesson, _ = unix.Mmap(-1, 0, 8*tcg.LessonSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
		return
	}
	t.touches(func() { t.cpu.vcpu().Learn(words(t.lesson)) })
}

// teach has the child of a fork tell its parent.
func (t *Thread) teach() {
	if t.taught != nil {
		unix.Munmap(t.taught)
	}
	t.taught, t.lesson = t.lesson, nil
	if t.taught != nil {
		t.cpu.vcpu().Tell(words(t.taught))
	}
}

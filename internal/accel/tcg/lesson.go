package tcg

import "sync/atomic"

// A process that forks, as a shell does, executes little of what its children
// do: each of them would translate the same anew. So they tell what they have
// translated, in memory that they share with it, and it has machine code of that
// before it forks again. What is told is where there may be code, no more: it
// cannot make translations wrong.

// LessonSize is how many words a lesson has: the number of units that were told of, and
// the program counters of the last.
const LessonSize = 1024

const toldUnits = LessonSize - 1

// lessons are what a vCPU knows of them.
type lessons struct {
	tell []uint64 // the lesson it tells by; nil = none
	seen uint64   // of the words of the one it learns from
	// once has program counters that were told of, by some of their bits. Those
	// told of again are learnt: what a single child has executed may never be again.
	once []uint64
}

// Tell has the vCPU tell by a lesson what it translates from now on; nil ends it.
func (v *VCPU) Tell(lesson []uint64) {
	v.lessons = lessons{tell: lesson}
}

// tell tells of the unit at pc.
func (v *VCPU) tell(u *unit, pc uint64) {
	lesson := v.lessons.tell
	if lesson == nil || u.told {
		return
	}
	u.told = true
	n := atomic.AddUint64(&lesson[0], 1) - 1
	atomic.StoreUint64(&lesson[1+n%toldUnits], pc)
}

// Learn makes machine code of what others have told twice by a lesson, if it is
// code of the mode the processor is in. The vCPU does not run.
func (v *VCPU) Learn(lesson []uint64) {
	l := &v.lessons
	end := atomic.LoadUint64(&lesson[0])
	if v.n == nil || v.traced || end <= l.seen {
		return
	}
	if l.once == nil {
		l.once = make([]uint64, 2*LessonSize)
	}
	l.seen = max(l.seen, end-min(end, toldUnits))
	for ; l.seen < end; l.seen++ {
		pc := atomic.LoadUint64(&lesson[1+l.seen%toldUnits])
		once := &l.once[(pc^pc>>11)%uint64(len(l.once))]
		if *once != pc {
			*once = pc
			continue
		}
		v.learn(pc)
	}
}

// learn makes machine code of the unit at pc.
func (v *VCPU) learn(pc uint64) {
	k := v.cpu.Key()
	k.PC = pc
	eager := v.eager
	v.eager = true
	u, fault := v.lookup(k)
	v.eager = eager
	if fault == nil && u.quick {
		v.compileNow(u, k)
	}
}

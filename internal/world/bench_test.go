package world

import "testing"

func BenchmarkPassage(b *testing.B) {
	w := New(1, 1_000_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Passage(i % 1_000_000)
	}
}

func BenchmarkConversation(b *testing.B) {
	w := New(1, 1_000_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Conversation(i)
	}
}

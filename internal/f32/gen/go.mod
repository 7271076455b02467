module parley/internal/f32/gen

go 1.26.0

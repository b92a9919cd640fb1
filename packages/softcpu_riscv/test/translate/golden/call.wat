  (func $region0 (type 1) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i32)
    (local.set 3
      (i64.load offset=4176
        (i32.const 0)))
    (if  ;; label = @1
      (i32.lt_s
        (local.get 1)
        (i32.const 3))
      (then
        (return_call 3
          (local.get 0)
          (local.get 1)
          (i32.const 1))))
    (local.set 2
      (i64.add
        (local.get 0)
        (i64.const 4)))
    (local.set 3
      (i64.add
        (local.get 3)
        (i64.const 2)))
    (local.set 4
      (i64.and
        (local.get 2)
        (i64.const -2)))
    (local.set 5
      (local.get 4))
    (i64.store offset=4104
      (i32.const 0)
      (local.get 2))
    (i64.store offset=4176
      (i32.const 0)
      (local.get 3))
    (local.set 6
      (local.get 5))
    (local.set 7
      (i32.and
        (i32.shl
          (i32.wrap_i64
            (local.get 6))
          (i32.const 3))
        (i32.const 65520)))
    (if  ;; label = @1
      (i32.and
        (i64.eq
          (i64.load offset=2114944
            (local.get 7))
          (local.get 6))
        (i32.eq
          (i32.load offset=2114956
            (local.get 7))
          (i32.load offset=5228
            (i32.const 0))))
      (then
        (return_call_indirect (type 1)
          (local.get 6)
          (i32.sub
            (local.get 1)
            (i32.const 3))
          (i32.load offset=2114952
            (local.get 7)))))
    (return_call 3
      (local.get 6)
      (i32.sub
        (local.get 1)
        (i32.const 3))
      (i32.const 0))
    (unreachable))

  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i64)
    (block  ;; label = @1
      (local.set 2
        (i64.load offset=4096
          (i32.const 0)))
      (local.set 3
        (i64.load offset=4120
          (i32.const 0)))
      (local.set 4
        (i64.load offset=4104
          (i32.const 0)))
      (local.set 5
        (i64.load offset=4112
          (i32.const 0)))
      (local.set 6
        (i64.load offset=4144
          (i32.const 0)))
      (local.set 7
        (i64.load offset=4152
          (i32.const 0)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 4))
        (then
          (local.set 8
            (i64.const 0))
          (br 1 (;@1;))))
      (local.set 2
        (i64.or
          (i64.and
            (local.get 2)
            (i64.const -256))
          (i64.const 1)))
      (i64.store offset=4096
        (i32.const 0)
        (local.get 2))
      (local.set 2
        (i64.or
          (i64.and
            (local.get 2)
            (i64.const -65281))
          (i64.shl
            (i64.and
              (local.get 3)
              (i64.const 255))
            (i64.const 8))))
      (i64.store offset=4096
        (i32.const 0)
        (local.get 2))
      (local.set 4
        (i64.or
          (i64.and
            (local.get 4)
            (i64.const -65536))
          (i64.and
            (local.get 5)
            (i64.const 65535))))
      (i64.store offset=4104
        (i32.const 0)
        (local.get 4))
      (local.set 6
        (i64.and
          (local.get 7)
          (i64.const 4294967295)))
      (i64.store offset=4144
        (i32.const 0)
        (local.get 6))
      (i64.store offset=4312
        (i32.const 0)
        (i64.add
          (local.get 0)
          (i64.const 9)))
      (i32.store offset=4324
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 4)))
      (return
        (i32.const 0)))
    (i64.store offset=4312
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 8)
          (i64.const 17))))
    (i32.store offset=4324
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 8))
          (i32.const 65535))))
    (return
      (i32.const 1)))

  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64)
    (block  ;; label = @1
      (local.set 2
        (i64.load offset=4176
          (i32.const 0)))
      (local.set 3
        (i64.load offset=4192
          (i32.const 0)))
      (local.set 4
        (i64.load offset=4184
          (i32.const 0)))
      (block  ;; label = @2
        (if  ;; label = @3
          (i32.lt_s
            (local.get 1)
            (i32.const 3))
          (then
            (local.set 6
              (i64.const 0))
            (br 2 (;@1;))))
        (if  ;; label = @3
          (i64.eq
            (local.get 2)
            (i64.const 0))
          (then
            (local.set 3
              (i64.add
                (local.get 3)
                (i64.const 1)))
            (i64.store offset=4192
              (i32.const 0)
              (local.get 3))
            (local.set 1
              (i32.sub
                (local.get 1)
                (i32.const 2)))
            (br 1 (;@2;))))
        (local.set 4
          (i64.add
            (local.get 4)
            (i64.const 1)))
        (i64.store offset=4184
          (i32.const 0)
          (local.get 4))
        (local.set 1
          (i32.sub
            (local.get 1)
            (i32.const 3)))
        (br 0 (;@2;)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 1))
        (then
          (local.set 6
            (i64.const 2097152))
          (br 1 (;@1;))))
      (local.set 5
        (i64.add
          (local.get 4)
          (local.get 3)))
      (i64.store offset=4200
        (i32.const 0)
        (local.get 5))
      (i64.store offset=4864
        (i32.const 0)
        (i64.add
          (local.get 0)
          (i64.const 20)))
      (i32.store offset=4912
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 1)))
      (return
        (i32.const 0)))
    (i64.store offset=4864
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 6)
          (i64.const 17))))
    (i32.store offset=4912
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 6))
          (i32.const 65535))))
    (return
      (i32.const 1)))

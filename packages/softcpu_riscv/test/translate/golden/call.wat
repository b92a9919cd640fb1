  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i32)
    (block  ;; label = @1
      (local.set 3
        (i64.load offset=4176
          (i32.const 0)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 4))
        (then
          (local.set 4
            (i64.const 0))
          (br 1 (;@1;))))
      (local.set 2
        (i64.add
          (local.get 0)
          (i64.const 4)))
      (i64.store offset=4104
        (i32.const 0)
        (local.get 2))
      (local.set 3
        (i64.add
          (local.get 3)
          (i64.const 2)))
      (i64.store offset=4176
        (i32.const 0)
        (local.get 3))
      (local.set 7
        (local.tee 6
          (local.tee 5
            (i64.and
              (local.get 2)
              (i64.const -2)))))
      (block  ;; label = @2
        (if  ;; label = @3
          (i64.eq
            (local.get 7)
            (i64.add
              (local.get 0)
              (i64.const 4)))
          (then
            (local.set 3
              (i64.add
                (local.get 3)
                (i64.const 1)))
            (i64.store offset=4176
              (i32.const 0)
              (local.get 3))
            (i64.store offset=4864
              (i32.const 0)
              (i64.add
                (local.get 0)
                (i64.const 8)))
            (i32.store offset=4912
              (i32.const 0)
              (i32.sub
                (local.get 1)
                (i32.const 4)))
            (return
              (i32.const 0)))))
      (if  ;; label = @2
        (i64.eq
          (i64.load offset=2700736
            (local.tee 8
              (i32.and
                (i32.shl
                  (i32.wrap_i64
                    (local.tee 6
                      (local.get 7)))
                  (i32.const 3))
                (i32.const 65520))))
          (i64.xor
            (local.get 6)
            (i64.load32_u offset=13484
              (i32.const 0))))
        (then
          (return_call_indirect (type 0)
            (local.get 6)
            (i32.sub
              (local.get 1)
              (i32.const 3))
            (i32.load offset=2700744
              (local.get 8)))))
      (i64.store offset=4864
        (i32.const 0)
        (local.get 6))
      (i32.store offset=4912
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 3)))
      (return
        (i32.const 0)))
    (i64.store offset=4864
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 4)
          (i64.const 17))))
    (i32.store offset=4912
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 4))
          (i32.const 65535))))
    (return
      (i32.const 1)))

  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i32 i32 i32)
    (block  ;; label = @1
      (local.set 3
        (i64.load offset=4176
          (i32.const 0)))
      (local.set 4
        (i64.load offset=4184
          (i32.const 0)))
      (local.set 5
        (i64.load offset=4104
          (i32.const 0)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 3))
        (then
          (local.set 6
            (i64.const 0))
          (br 1 (;@1;))))
      (if  ;; label = @2
        (i64.gt_u
          (i64.and
            (local.tee 9
              (i64.add
                (local.tee 7
                  (local.get 3))
                (i64.load offset=111872
                  (i32.and
                    (i32.shr_u
                      (i32.wrap_i64
                        (local.get 7))
                      (i32.const 9))
                    (i32.const 32760)))))
            (i64.const -8384513))
          (i64.const 4088))
        (then
          (local.set 6
            (i64.const 65536))
          (br 1 (;@1;))))
      (local.set 2
        (local.tee 8
          (i64.load
            (i32.wrap_i64
              (local.get 9)))))
      (i64.store offset=4192
        (i32.const 0)
        (local.get 2))
      (local.set 9
        (i64.add
          (local.get 4)
          (i64.const 8)))
      (local.set 8
        (local.get 2))
      (if  ;; label = @2
        (i64.gt_u
          (i64.and
            (local.tee 7
              (i64.add
                (local.get 9)
                (i64.load offset=242944
                  (i32.and
                    (i32.shr_u
                      (i32.wrap_i64
                        (local.get 9))
                      (i32.const 9))
                    (i32.const 32760)))))
            (i64.const -8384513))
          (i64.const 4088))
        (then
          (local.set 6
            (i64.const 589825))
          (br 1 (;@1;))))
      (i64.store
        (i32.wrap_i64
          (local.get 7))
        (local.get 8))
      (local.set 9
        (local.tee 8
          (local.tee 7
            (i64.and
              (local.get 5)
              (i64.const -2)))))
      (block  ;; label = @2
      )
      (if  ;; label = @2
        (i64.eq
          (i64.load offset=2700736
            (local.tee 10
              (i32.and
                (i32.shl
                  (i32.wrap_i64
                    (local.tee 8
                      (local.get 9)))
                  (i32.const 3))
                (i32.const 65520))))
          (i64.xor
            (local.get 8)
            (i64.load32_u offset=13484
              (i32.const 0))))
        (then
          (return_call_indirect (type 0)
            (local.get 8)
            (i32.sub
              (local.get 1)
              (i32.const 3))
            (i32.load offset=2700744
              (local.get 10)))))
      (i64.store offset=4864
        (i32.const 0)
        (local.get 8))
      (i32.store offset=4912
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 3)))
      (return
        (i32.const 0)))
    (if  ;; label = @1
      (i32.and
        (i32.wrap_i64
          (local.get 6))
        (i32.const 65536))
      (then
        (local.set 12
          (i32.sub
            (i32.load offset=1253444
              (local.tee 11
                (i32.mul
                  (local.tee 10
                    (i32.const 1))
                  (i32.const 8))))
            (i32.const 1)))
        (i32.store offset=1253444
          (local.get 11)
          (local.get 12))
        (if  ;; label = @2
          (i32.le_s
            (local.get 12)
            (i32.const 0))
          (then
            (i32.store offset=13560
              (i32.const 0)
              (local.get 10))))))
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

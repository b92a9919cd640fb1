  (func $region2 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i64 i32 i64 i32 i64 i64)
    (block  ;; label = @1
      (block  ;; label = @2
        (local.set 2
          (i64.load offset=4096
            (i32.const 0)))
        (local.set 3
          (i64.load offset=4288
            (i32.const 0)))
        (local.set 4
          (i64.load offset=4296
            (i32.const 0)))
        (local.set 5
          (i64.load offset=4592
            (i32.const 0)))
        (local.set 6
          (i64.load offset=4112
            (i32.const 0)))
        (local.set 7
          (i64.load offset=4104
            (i32.const 0)))
        (loop  ;; label = @3
          (if  ;; label = @4
            (i32.lt_s
              (local.get 1)
              (i32.const 12))
            (then
              (local.set 8
                (i64.const 393216))
              (br 2 (;@2;))))
          (if  ;; label = @4
            (i32.eqz
              (local.get 9))
            (then
              (if  ;; label = @5
                (i32.eqz
                  (local.tee 9
                    (call 0
                      (i64.add
                        (local.get 0)
                        (i64.const -4099))
                      (i32.const 8188608)
                      (i32.const 0))))
                (then
                  (i64.store offset=4096
                    (i32.const 0)
                    (local.get 2))
                  (i64.store offset=4288
                    (i32.const 0)
                    (local.get 3))
                  (i64.store offset=4296
                    (i32.const 0)
                    (local.get 4))
                  (i64.store offset=4592
                    (i32.const 0)
                    (local.get 5))
                  (i64.store offset=4112
                    (i32.const 0)
                    (local.get 6))
                  (if  ;; label = @6
                    (i64.eq
                      (i64.load offset=7172608
                        (local.tee 11
                          (i32.and
                            (i32.shl
                              (i32.xor
                                (i32.wrap_i64
                                  (local.tee 10
                                    (i64.add
                                      (local.get 0)
                                      (i64.const -11))))
                                (i32.shr_u
                                  (i32.wrap_i64
                                    (local.get 10))
                                  (i32.const 12)))
                              (i32.const 4))
                            (i32.const 65520))))
                      (i64.xor
                        (local.get 10)
                        (i64.load32_u offset=14176
                          (i32.const 0))))
                    (then
                      (return_call_indirect (type 0)
                        (local.get 10)
                        (i32.sub
                          (local.get 1)
                          (i32.const 1))
                        (i32.load offset=7172616
                          (local.get 11)))))
                  (i64.store offset=4312
                    (i32.const 0)
                    (local.get 10))
                  (i32.store offset=4324
                    (i32.const 0)
                    (i32.sub
                      (local.get 1)
                      (i32.const 1)))
                  (return
                    (i32.const 0))))))
          (local.set 10
            (local.get 7))
          (local.set 2
            (local.tee 13
              (i64.add
                (local.tee 12
                  (local.get 2))
                (local.get 10))))
          (local.set 3
            (local.get 12))
          (local.set 4
            (local.get 10))
          (local.set 5
            (i64.const 2))
          (local.set 6
            (local.tee 13
              (i64.add
                (i64.add
                  (local.get 6)
                  (i64.shl
                    (local.get 2)
                    (i64.const 2)))
                (i64.const 4660))))
          (local.set 13
            (local.get 7))
          (local.set 2
            (local.tee 10
              (i64.add
                (local.tee 12
                  (local.get 2))
                (local.get 13))))
          (local.set 3
            (local.get 12))
          (local.set 4
            (local.get 13))
          (local.set 5
            (i64.const 2))
          (local.set 6
            (local.tee 10
              (i64.add
                (i64.add
                  (local.get 6)
                  (i64.shl
                    (local.get 2)
                    (i64.const 2)))
                (i64.const 4660))))
          (local.set 10
            (local.get 7))
          (local.set 2
            (local.tee 13
              (i64.add
                (local.tee 12
                  (local.get 2))
                (local.get 10))))
          (local.set 3
            (local.get 12))
          (local.set 4
            (local.get 10))
          (local.set 5
            (i64.const 2))
          (local.set 6
            (local.tee 13
              (i64.add
                (i64.add
                  (local.get 6)
                  (i64.shl
                    (local.get 2)
                    (i64.const 2)))
                (i64.const 4660))))
          (local.set 13
            (local.get 7))
          (local.set 2
            (local.tee 10
              (i64.add
                (local.tee 12
                  (local.get 2))
                (local.get 13))))
          (local.set 3
            (local.get 12))
          (local.set 4
            (local.get 13))
          (local.set 5
            (i64.const 2))
          (local.set 6
            (local.tee 10
              (i64.add
                (i64.add
                  (local.get 6)
                  (i64.shl
                    (local.get 2)
                    (i64.const 2)))
                (i64.const 4660))))
          (local.set 1
            (i32.sub
              (local.get 1)
              (i32.const 12)))
          (br 0 (;@3;)))
        (unreachable))
      (i64.store offset=4096
        (i32.const 0)
        (local.get 2))
      (i64.store offset=4288
        (i32.const 0)
        (local.get 3))
      (i64.store offset=4296
        (i32.const 0)
        (local.get 4))
      (i64.store offset=4592
        (i32.const 0)
        (local.get 5))
      (i64.store offset=4112
        (i32.const 0)
        (local.get 6)))
    (i64.store offset=4312
      (i32.const 0)
      (i64.add
        (i64.sub
          (local.get 0)
          (i64.const 3))
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

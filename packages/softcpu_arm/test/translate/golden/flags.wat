  (func $region1 (type 0) (param i64 i32) (result i32)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i32 i32)
    (block  ;; label = @1
      (block  ;; label = @2
        (local.set 3
          (i64.load offset=5184
            (i32.const 0)))
        (local.set 4
          (i64.load offset=5192
            (i32.const 0)))
        (local.set 5
          (i64.load offset=5376
            (i32.const 0)))
        (local.set 6
          (i64.load offset=4104
            (i32.const 0)))
        (local.set 7
          (i64.load offset=5384
            (i32.const 0)))
        (if  ;; label = @3
          (i32.lt_s
            (local.get 1)
            (i32.const 1))
          (then
            (local.set 9
              (i64.const 0))
            (br 2 (;@1;))))
        (local.set 2
          (i64.const 0))
        (local.set 1
          (i32.sub
            (local.get 1)
            (i32.const 1)))
        (loop  ;; label = @3
          (block  ;; label = @4
            (if  ;; label = @5
              (i32.lt_s
                (local.get 1)
                (i32.const 12))
              (then
                (local.set 9
                  (i64.const 524288))
                (br 3 (;@2;))))
            (local.set 10
              (local.get 2))
            (local.set 11
              (local.get 6))
            (local.set 2
              (local.tee 12
                (i64.add
                  (local.get 10)
                  (local.get 11))))
            (local.set 11
              (i64.sub
                (local.tee 12
                  (local.get 6))
                (i64.const 1)))
            (local.set 3
              (i64.const 1))
            (local.set 4
              (local.get 12))
            (local.set 5
              (i64.const 1))
            (local.set 6
              (local.get 11))
            (if  ;; label = @5
              (i32.eqz
                (i64.eq
                  (local.get 4)
                  (i64.const 1)))
              (then
                (local.set 11
                  (local.get 2))
                (local.set 12
                  (local.get 6))
                (local.set 2
                  (local.tee 10
                    (i64.add
                      (local.get 11)
                      (local.get 12))))
                (local.set 12
                  (i64.sub
                    (local.tee 10
                      (local.get 6))
                    (i64.const 1)))
                (local.set 3
                  (i64.const 1))
                (local.set 4
                  (local.get 10))
                (local.set 5
                  (i64.const 1))
                (local.set 6
                  (local.get 12))
                (if  ;; label = @6
                  (i32.eqz
                    (i64.eq
                      (local.get 4)
                      (i64.const 1)))
                  (then
                    (local.set 12
                      (local.get 2))
                    (local.set 10
                      (local.get 6))
                    (local.set 2
                      (local.tee 11
                        (i64.add
                          (local.get 12)
                          (local.get 10))))
                    (local.set 10
                      (i64.sub
                        (local.tee 11
                          (local.get 6))
                        (i64.const 1)))
                    (local.set 3
                      (i64.const 1))
                    (local.set 4
                      (local.get 11))
                    (local.set 5
                      (i64.const 1))
                    (local.set 6
                      (local.get 10))
                    (if  ;; label = @7
                      (i32.eqz
                        (i64.eq
                          (local.get 4)
                          (i64.const 1)))
                      (then
                        (local.set 10
                          (local.get 2))
                        (local.set 11
                          (local.get 6))
                        (local.set 2
                          (local.tee 12
                            (i64.add
                              (local.get 10)
                              (local.get 11))))
                        (local.set 11
                          (i64.sub
                            (local.tee 12
                              (local.get 6))
                            (i64.const 1)))
                        (local.set 3
                          (i64.const 1))
                        (local.set 4
                          (local.get 12))
                        (local.set 5
                          (i64.const 1))
                        (local.set 6
                          (local.get 11))
                        (if  ;; label = @8
                          (i32.eqz
                            (i64.eq
                              (local.get 4)
                              (i64.const 1)))
                          (then
                            (local.set 1
                              (i32.sub
                                (local.get 1)
                                (i32.const 12)))
                            (br 5 (;@3;))))
                        (local.set 1
                          (i32.sub
                            (local.get 1)
                            (i32.const 12)))
                        (br 3 (;@4;))))
                    (local.set 1
                      (i32.sub
                        (local.get 1)
                        (i32.const 9)))
                    (br 2 (;@4;))))
                (local.set 1
                  (i32.sub
                    (local.get 1)
                    (i32.const 6)))
                (br 1 (;@4;))))
            (local.set 1
              (i32.sub
                (local.get 1)
                (i32.const 3)))
            (br 0 (;@4;)))
          (if  ;; label = @4
            (i32.lt_s
              (local.get 1)
              (i32.const 1))
            (then
              (local.set 9
                (i64.const 2097152))
              (br 2 (;@2;))))
          (local.set 13
            (i64.gt_u
              (local.get 4)
              (local.get 5)))
          (if  ;; label = @4
            (i32.eqz
              (i32.le_u
                (i32.sub
                  (i32.wrap_i64
                    (local.get 3))
                  (i32.const 1))
                (i32.const 1)))
            (then
              (local.set 13
                (local.tee 14
                  (call 0
                    (local.get 3)
                    (local.get 4)
                    (local.get 5)
                    (local.get 7))))))
          (local.set 8
            (select
              (local.get 2)
              (local.get 6)
              (local.get 13)))
          (i64.store offset=4112
            (i32.const 0)
            (local.get 8))
          (i64.store offset=4096
            (i32.const 0)
            (local.get 2))
          (i64.store offset=5184
            (i32.const 0)
            (local.get 3))
          (i64.store offset=5192
            (i32.const 0)
            (local.get 4))
          (i64.store offset=5376
            (i32.const 0)
            (local.get 5))
          (i64.store offset=4104
            (i32.const 0)
            (local.get 6))
          (i64.store offset=5120
            (i32.const 0)
            (i64.add
              (local.get 0)
              (i64.const 20)))
          (i32.store offset=5168
            (i32.const 0)
            (i32.sub
              (local.get 1)
              (i32.const 1)))
          (return
            (i32.const 0)))
        (unreachable))
      (i64.store offset=4096
        (i32.const 0)
        (local.get 2))
      (i64.store offset=5184
        (i32.const 0)
        (local.get 3))
      (i64.store offset=5192
        (i32.const 0)
        (local.get 4))
      (i64.store offset=5376
        (i32.const 0)
        (local.get 5))
      (i64.store offset=4104
        (i32.const 0)
        (local.get 6)))
    (i64.store offset=5120
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 9)
          (i64.const 17))))
    (i32.store offset=5168
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 9))
          (i32.const 65535))))
    (return
      (i32.const 1)))
